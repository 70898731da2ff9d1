//go:build unix && !darwin

package seal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	busVariable   = "DBUS_SESSION_BUS_ADDRESS"
	secretService = "org.freedesktop.secrets"
)

// errNoBus: this session has no message bus, hence no Secret Service.
var errNoBus = errors.New("no session bus")

// busAddress finds the session bus without ever starting one: the D-Bus
// library would launch a stray daemon where there is none.
func busAddress() (string, error) {
	address := os.Getenv(busVariable)
	if address == "" || address == "autolaunch:" {
		dirs := []string{filepath.Join("/run/user", strconv.Itoa(os.Getuid()))}
		if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
			dirs = append([]string{dir}, dirs...)
		}
		for _, dir := range dirs {
			socket := filepath.Join(dir, "bus")
			if info, err := os.Stat(socket); err == nil && info.Mode().Type() == os.ModeSocket {
				return "unix:path=" + dbus.EscapeBusAddressValue(socket), nil
			}
		}
		return "", errNoBus
	}
	for _, one := range strings.Split(address, ";") {
		// Other transports run programs or leave the machine.
		if one != "" && !strings.HasPrefix(one, "unix:") {
			return "", fmt.Errorf("%w: %s names a transport other than unix sockets", ErrUnavailable, busVariable)
		}
	}
	return address, nil
}

// checkBus makes sure that the keychain library connects to a running bus.
func checkBus() error {
	address, err := busAddress()
	if errors.Is(err, errNoBus) {
		return fmt.Errorf("%w: there is no OS keychain here (%s is not set and no session bus runs); "+
			"start cloudops from the desktop session", ErrUnavailable, busVariable)
	}
	if err != nil {
		return err
	}
	return os.Setenv(busVariable, address)
}

// keychainRuns tells whether a Secret Service runs or can be started.
func keychainRuns(limit time.Duration) (bool, error) {
	address, err := busAddress()
	if errors.Is(err, errNoBus) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return false, nil
	}
	if err != nil {
		return false, keychainError("reaching", err)
	}
	defer bus.Close()
	// A Secret Service that the session started itself, as password managers do,
	// cannot be started by its name.
	var owned bool
	err = bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, secretService).Store(&owned)
	if err != nil {
		return false, keychainError("reaching", err)
	}
	if owned {
		return true, nil
	}
	var started uint32
	err = bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.StartServiceByName", 0, secretService, uint32(0)).Store(&started)
	var answer dbus.Error
	if errors.As(err, &answer) && (answer.Name == "org.freedesktop.DBus.Error.ServiceUnknown" ||
		strings.HasPrefix(answer.Name, "org.freedesktop.DBus.Error.Spawn.")) {
		return false, nil
	}
	if err != nil {
		return false, keychainError("reaching", err)
	}
	return true, nil
}
