package udp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const readBatch = 32 // datagrams of one system call

// reader reads datagrams, of either version of IP.
type reader struct {
	conn     *ipv4.PacketConn
	messages []ipv4.Message
}

func newReader(conn *net.UDPConn) *reader {
	r := &reader{conn: ipv4.NewPacketConn(conn), messages: make([]ipv4.Message, readBatch)}
	for i := range r.messages {
		r.messages[i].Buffers = [][]byte{make([]byte, maxDatagram)}
	}
	return r
}

// read waits for datagrams and hands each to take, which may use its bytes until it returns.
func (r *reader) read(take func(datagram []byte, from net.Addr)) error {
	n, err := r.conn.ReadBatch(r.messages, 0)
	for _, m := range r.messages[:max(n, 0)] {
		take(m.Buffers[0][:m.N], m.Addr)
	}
	return err
}

// growBuffer asks the kernel for a receive buffer and returns how large it is, in bytes.
func growBuffer(conn *net.UDPConn, bytes int) (granted int, err error) {
	err = control(conn, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes); err != nil {
			return os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
		granted, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		return os.NewSyscallError("getsockopt SO_RCVBUF", err)
	})
	return granted / 2, err // the kernel doubles it for its own needs, socket(7)
}

// kernelDrops returns how many datagrams the kernel has dropped for want of room since the socket was opened, modulo
// 2^32. SO_MEMINFO tells at any time, where SO_RXQ_OVFL would wait for the next datagram that finds room.
func kernelDrops(conn *net.UDPConn) (drops uint32, err error) {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	err = control(conn, func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			return os.NewSyscallError("getsockopt SO_MEMINFO", errno)
		}
		return nil
	})
	return info[unix.SK_MEMINFO_DROPS], err
}

func control(conn *net.UDPConn, do func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach the socket: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}
