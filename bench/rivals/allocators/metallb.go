// Measures MetalLB's allocator alone. `build.sh` builds this program in a copy of MetalLB's module, because no other module may import the allocator.
//
//	metallb-allocator fill PREFIX COUNT       seconds until COUNT Services have addresses of a pool that was empty
//	metallb-allocator nearly-full PREFIX      milliseconds for one more address of a pool that is 99 % full, measured 20 times
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"go.universe.tf/metallb/internal/allocator"
	"go.universe.tf/metallb/internal/config"
	"go.universe.tf/metallb/internal/ipfamily"
)

const repeats = 20

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func emptyPool(prefix *net.IPNet) *allocator.Allocator {
	made := allocator.New()
	fail(made.SetPools(map[string]*config.Pool{"big": {Protocol: config.BGP, AutoAssign: true, CIDR: []*net.IPNet{prefix}}}))
	return made
}

func allocate(from *allocator.Allocator, name string) {
	_, err := from.Allocate(name, ipfamily.IPv4, nil, "", "")
	fail(err)
}

// The address that is `offset` addresses after the first one of an IPv4 prefix.
func addressOf(prefix *net.IPNet, offset int) net.IP {
	first := prefix.IP.To4()
	number := int(first[0])<<24 | int(first[1])<<16 | int(first[2])<<8 | int(first[3])
	number += offset
	return net.IPv4(byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
}

func main() {
	_, prefix, err := net.ParseCIDR(os.Args[2])
	fail(err)
	pool := emptyPool(prefix)
	if os.Args[1] == "fill" {
		count, err := strconv.Atoi(os.Args[3])
		fail(err)
		started := time.Now()
		for i := 0; i < count; i++ {
			allocate(pool, fmt.Sprintf("default/s%d", i))
		}
		fmt.Println(time.Since(started).Seconds())
		return
	}
	ones, bits := prefix.Mask.Size()
	size := 1 << (bits - ones)
	for i := 0; i < size*99/100; i++ {
		fail(pool.Assign(fmt.Sprintf("default/s%d", i), []net.IP{addressOf(prefix, i)}, nil, "", ""))
	}
	for i := 0; i < repeats; i++ {
		started := time.Now()
		allocate(pool, "default/new")
		fmt.Println(time.Since(started).Seconds() * 1000)
		pool.Unassign("default/new")
	}
}
