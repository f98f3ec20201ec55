package walfile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store/sqlite/cabi"
)

// layout is what the VFS reads and writes of the driver's structures: their fields, each with its offset in bytes, and
// their sizes, as sqlite3.h has them for 64 bits.
var layout = []struct {
	name string
	of   reflect.Type
	want string
}{
	{"sqlite3_file", reflect.TypeFor[sqlite3.Tsqlite3_file](), "FpMethods:0 8"},
	{"sqlite3_io_methods", reflect.TypeFor[sqlite3.Tsqlite3_io_methods](), "FiVersion:0 FxClose:8 FxRead:16 FxWrite:24 FxTruncate:32 FxSync:40 FxFileSize:48 " +
		"FxLock:56 FxUnlock:64 FxCheckReservedLock:72 FxFileControl:80 FxSectorSize:88 FxDeviceCharacteristics:96 FxShmMap:104 " +
		"FxShmLock:112 FxShmBarrier:120 FxShmUnmap:128 FxFetch:136 FxUnfetch:144 152"},
	{"sqlite3_vfs", reflect.TypeFor[sqlite3.Tsqlite3_vfs](), "FiVersion:0 FszOsFile:4 FmxPathname:8 FpNext:16 FzName:24 FpAppData:32 FxOpen:40 FxDelete:48 " +
		"FxAccess:56 FxFullPathname:64 FxDlOpen:72 FxDlError:80 FxDlSym:88 FxDlClose:96 FxRandomness:104 FxSleep:112 FxCurrentTime:120 " +
		"FxGetLastError:128 FxCurrentTimeInt64:136 FxSetSystemCall:144 FxGetSystemCall:152 FxNextSystemCall:160 168"},
}

// checkLayout tells whether the driver's structures are as the VFS takes them, and whether Go's functions can be handed to
// SQLite as it hands them.
func checkLayout() error {
	for _, s := range layout {
		if got := describe(s.of); got != s.want {
			return fmt.Errorf("the driver's %s is laid out as %q, not as %q", s.name, got, s.want)
		}
	}
	// A function value points to what begins with the address of the code.
	if p := cabi.Func(closeFile); p == 0 || *cabi.At[uintptr](p) != reflect.ValueOf(closeFile).Pointer() {
		return errors.New("function values of Go are not pointers to the code's address")
	}
	return nil
}

func describe(of reflect.Type) string {
	var b strings.Builder
	for f := range of.Fields() {
		fmt.Fprintf(&b, "%s:%d ", f.Name, f.Offset)
	}
	fmt.Fprint(&b, of.Size())
	return b.String()
}
