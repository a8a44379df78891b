"""The node of these tests: two ENIs on the instance, and one that is on none."""

SUBNETS = [{"id": "subnet-00000000000000001", "ipv4": "10.0.1.0/24", "ipv6": "fd00:0:0:1::/64"},
           {"id": "subnet-00000000000000002", "ipv4": "10.0.2.0/26"},
           {"id": "subnet-00000000000000003", "ipv4": "10.0.3.0/24", "zone": "us-west-2b", "tags": {"kubernetes.io/role/cni": "1"}}]
STATE = {
    "subnets": SUBNETS,
    "groups": [{"id": "sg-00000000000000001", "name": "nodes"}, {"id": "sg-00000000000000002", "name": "pods"}],
    "instance": {"id": "i-00000000000000001", "type": "m5.large"},
    "enis": [{"id": "eni-00000000000000001", "mac": "02:00:00:00:01:00", "subnet": 0, "device": 0, "addresses": ["10.0.1.10", "10.0.1.11"],
              "prefixes": ["10.0.1.32/28"], "addresses6": ["fd00:0:0:1::a"], "prefixes6": ["fd00:0:0:1:5::/80"],
              "tags": {"node.k8s.amazonaws.com/instance_id": "i-00000000000000001"}},
             {"id": "eni-00000000000000002", "mac": "02:00:00:00:01:01", "subnet": 1, "device": 1, "addresses": ["10.0.2.10"]},
             {"id": "eni-00000000000000003", "mac": "02:00:00:00:01:09", "subnet": 2, "addresses": ["10.0.3.10"], "tags": {"old": "yes"}}]}
PRIMARY, SECOND, LOOSE = (eni["id"] for eni in STATE["enis"])
INSTANCE = STATE["instance"]["id"]
