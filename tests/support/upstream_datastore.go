// The datastore of upstream's daemon (v1.15.5) on a checkpoint: `upstream_datastore CHECKPOINT ENI DEVICE ADDRESS...` adds the ENI
// with its addresses, reads the checkpoint as the daemon does when it starts, prints who has what, assigns an address to the
// container "theirs", and prints it. The daemon's own code writes the checkpoint.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/aws/amazon-vpc-cni-k8s/pkg/ipamd/datastore"
	"github.com/aws/amazon-vpc-cni-k8s/pkg/utils/logger"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	log := logger.New(&logger.Configuration{LogLevel: "error", LogLocation: "stderr"})
	store := datastore.NewDataStore(log, datastore.NewJSONFile(os.Args[1]), false)
	device, err := strconv.Atoi(os.Args[3])
	must(err)
	must(store.AddENI(os.Args[2], device, device == 0, false, false))
	for _, address := range os.Args[4:] {
		alone := net.IPNet{IP: net.ParseIP(address), Mask: net.CIDRMask(32, 32)}
		must(store.AddIPv4CidrToStore(os.Args[2], alone, false))
	}
	must(store.ReadBackingStore(false))
	for _, one := range store.AllocatedIPs() {
		fmt.Println(one.IPAMKey.ContainerID, one.IP, one.DeviceNumber)
	}
	key := datastore.IPAMKey{NetworkName: "aws-cni", ContainerID: "theirs", IfName: "eth0"}
	address, device, err := store.AssignPodIPv4Address(key, datastore.IPAMMetadata{})
	must(err)
	fmt.Println("theirs", address, device)
}
