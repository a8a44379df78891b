// rpc.CNIBackend in gRPC for Go, by upstream's own package: `upstream_server ENDPOINT` answers AddNetwork with an address and
// DelNetwork with an error whose words need escapes, and prints "ready".
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/aws/amazon-vpc-cni-k8s/rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

type server struct{}

func (server) AddNetwork(_ context.Context, asked *rpc.AddNetworkRequest) (*rpc.AddNetworkReply, error) {
	return &rpc.AddNetworkReply{Success: asked.K8S_POD_NAME == "nginx", IPv4Addr: "10.0.2.55", DeviceNumber: 1}, nil
}

func (server) DelNetwork(context.Context, *rpc.DelNetworkRequest) (*rpc.DelNetworkReply, error) {
	return nil, status.Error(codes.NotFound, "100 % gone:\n\tä")
}

func main() {
	network, address := "tcp", os.Args[1]
	if path, found := strings.CutPrefix(address, "unix://"); found {
		network, address = "unix", path
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	serving := grpc.NewServer()
	rpc.RegisterCNIBackendServer(serving, server{})
	checks := health.NewServer()
	checks.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(serving, checks)
	fmt.Println("ready")
	if err := serving.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
