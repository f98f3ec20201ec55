//go:build !linux

package udp

import "net"

// reader reads datagrams.
type reader struct {
	conn   *net.UDPConn
	buffer [maxDatagram]byte
}

func newReader(conn *net.UDPConn) *reader { return &reader{conn: conn} }

// read waits for a datagram and hands it to take, which may use its bytes until it returns.
func (r *reader) read(take func(datagram []byte, from net.Addr)) error {
	n, from, err := r.conn.ReadFromUDP(r.buffer[:])
	if err != nil {
		return err
	}
	take(r.buffer[:n], from)
	return nil
}

// growBuffer asks the kernel for a receive buffer, in bytes. Here it gives all of it or an error.
func growBuffer(conn *net.UDPConn, bytes int) (granted int, err error) {
	if err := conn.SetReadBuffer(bytes); err != nil {
		return 0, err
	}
	return bytes, nil
}

// kernelDrops is always 0: here the kernel does not tell of one socket.
func kernelDrops(*net.UDPConn) (uint32, error) { return 0, nil }
