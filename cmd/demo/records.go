package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gopkg.in/ini.v1"

	"github.com/cloudops/cloudops/scanner/awstest"
)

// query runs a command with --json and decodes what it printed.
func (d *demo) query(ctx context.Context, result any, args ...string) error {
	out, err := d.command(ctx, append(args, "--json")...).Output()
	if err != nil {
		return fmt.Errorf("running cloudops %s: %w", args[0], err)
	}
	if err := json.Unmarshal(out, result); err != nil {
		return fmt.Errorf("reading what cloudops %s printed: %w", args[0], err)
	}
	return nil
}

// history prints every conversation.
func (d *demo) history(ctx context.Context) error {
	var list struct {
		Conversations []struct {
			ID string `json:"id"`
		} `json:"conversations"`
	}
	if err := d.query(ctx, &list, "conversations"); err != nil {
		return err
	}
	for _, c := range list.Conversations {
		if err := d.cloudops(ctx, "conversations", "show", c.ID); err != nil {
			return err
		}
	}
	return nil
}

// leaks ends the daemon and looks for the estate in what it left on disk.
func (d *demo) leaks(ctx context.Context, name, id string) error {
	if err := d.stopDaemon(ctx); err != nil {
		return err
	}
	words := []string{name, id, awstest.MainDB, awstest.OrdersDB, awstest.WestBucket, awstest.StagingName,
		awstest.ProdAccount, "production", "Stop " + name}
	words = append(words, awstest.Planted...)
	credentials, err := ini.Load(d.estate.CredentialsFile)
	if err != nil {
		return fmt.Errorf("reading the credentials: %w", err)
	}
	for _, profile := range credentials.Sections() {
		for _, key := range profile.Keys() {
			words = append(words, key.Value())
		}
	}
	home := filepath.Join(d.dir, "home")
	found, err := awstest.Leaks(home, words)
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Println("leak:", f)
	}
	if len(found) > 0 {
		return fmt.Errorf("the store gives away %d words", len(found))
	}
	fmt.Printf("Looked for %d names, ids, tags, secrets and chat texts under CLOUDOPS_HOME,\n"+
		"plain, base64, hex, UTF-16 and compressed: none is there.\n", len(words))
	return nil
}

// stopDaemon ends the daemon that this demo's commands started.
func (d *demo) stopDaemon(ctx context.Context) error {
	if d.stopped {
		return nil
	}
	d.stopped = true
	var s struct {
		Daemon struct {
			PID int `json:"pid"`
		} `json:"daemon"`
	}
	if err := d.query(ctx, &s, "status"); err != nil {
		return err
	}
	if err := syscall.Kill(s.Daemon.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the daemon: %w", err)
	}
	lock, err := os.Open(filepath.Join(d.dir, "home", "daemon.lock"))
	if err != nil {
		return fmt.Errorf("waiting for the daemon: %w", err)
	}
	defer lock.Close()
	// Its lock dies with it.
	deadline := time.Now().Add(15 * time.Second)
	for syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if time.Now().After(deadline) {
			return fmt.Errorf("the daemon %d did not end", s.Daemon.PID)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
