// Command demo shows the main job of cloudops once, on an emulated AWS: scan,
// hover, chat, approval, run, records. It drives the real binary as a person
// would, and looks at AWS and at the disk beside it.
//
// At a terminal the person answers the approvals; -approve yes types the
// answers through a pseudo-terminal.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"golang.org/x/term"

	"github.com/cloudops/cloudops/scanner/awstest"
)

func main() {
	binary := flag.String("binary", "bin/cloudops", "the cloudops to show")
	approve := flag.String("approve", "", "answer to type at each approval")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *binary, *approve)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one run: an emulated AWS, a home and a workspace of its own.
type demo struct {
	binary, approve string
	dir             string
	env             []string
	estate          *awstest.Estate
	stopped         bool
}

func run(ctx context.Context, binary, approve string) (err error) {
	if approve == "" && !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("no terminal to ask for approvals on; run `make demo DEMO_APPROVE=yes`")
	}
	dir, err := os.MkdirTemp("", "cloudops-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{binary: binary, approve: approve, dir: dir}

	step("An AWS to try things on")
	server, err := awstest.Start(ctx, filepath.Join(dir, "moto.log"))
	if err != nil {
		return err
	}
	defer server.Stop()
	if d.estate, err = server.Seed(ctx, dir); err != nil {
		return err
	}
	fmt.Printf("moto serves %s: accounts %s (prod) and %s (staging), regions %s and %s.\n",
		server.Endpoint, awstest.ProdAccount, awstest.StagingAccount, awstest.West, awstest.East)
	name := "demo-" + strings.ToLower(rand.Text()[:8])
	id, err := d.estate.AddInstance(ctx, name)
	if err != nil {
		return err
	}
	fmt.Printf("One more instance, named at random: %s is %s.\n", name, id)
	if err := d.makeHome(); err != nil {
		return err
	}
	defer func() {
		if serr := d.stopDaemon(ctx); err == nil {
			err = serr
		}
	}()

	step("The AWS profiles")
	if err := d.cloudops(ctx, "profiles"); err != nil {
		return err
	}
	step("Scan: the estate goes into the encrypted store")
	if err := d.cloudops(ctx, "scan", "--profile", "prod", "--profile", "staging",
		"--region", awstest.West, "--region", awstest.East, "--region", awstest.EmptyRegion); err != nil {
		return err
	}
	step("Hover in a Terraform file")
	if err := d.hover(ctx, awstest.MainDB, name, id); err != nil {
		return err
	}
	if err := d.stop(ctx, awstest.MainDB, func() (string, error) { return d.dbState(ctx, awstest.MainDB) }); err != nil {
		return err
	}
	if err := d.stop(ctx, name, func() (string, error) { return d.instanceState(ctx, id) }); err != nil {
		return err
	}
	step("What was said and done")
	if err := d.history(ctx); err != nil {
		return err
	}
	if err := d.cloudops(ctx, "executions"); err != nil {
		return err
	}
	step("The audit log")
	if err := d.cloudops(ctx, "audit"); err != nil {
		return err
	}
	if err := d.cloudops(ctx, "audit", "verify"); err != nil {
		return err
	}
	step("What the disk gives away")
	return d.leaks(ctx, name, id)
}

func step(title string) { fmt.Printf("\n\033[1m== %s\033[0m\n", title) }

// makeHome makes a home with its key in a file, since a demo must not leave an
// entry in anybody's keychain.
func (d *demo) makeHome() error {
	home := filepath.Join(d.dir, "home")
	for _, sub := range []string{home, filepath.Join(d.dir, "key"), filepath.Join(d.dir, "run"), filepath.Join(d.dir, "work")} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
	}
	config := fmt.Sprintf("encryption:\n  key_source:\n    file: %s\n", filepath.Join(d.dir, "key", "cloudops.key"))
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	d.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "TERM=" + os.Getenv("TERM"), "LANG=C.UTF-8",
		"XDG_RUNTIME_DIR=" + filepath.Join(d.dir, "run"),
		"CLOUDOPS_HOME=" + home,
	}, d.estate.Variables("prod")...)
	return nil
}

func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env = d.env
	cmd.Dir = filepath.Join(d.dir, "work")
	cmd.Stderr = os.Stderr
	return cmd
}

// cloudops runs one command and shows it as it was typed.
func (d *demo) cloudops(ctx context.Context, args ...string) error {
	fmt.Printf("$ cloudops %s\n", strings.Join(args, " "))
	cmd := d.command(ctx, args...)
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running cloudops %s: %w", args[0], err)
	}
	return nil
}

// stop asks for a resource to be stopped, approves, and reads back from AWS.
func (d *demo) stop(ctx context.Context, name string, state func() (string, error)) error {
	step("Chat: Stop " + name)
	before, err := state()
	if err != nil {
		return err
	}
	fmt.Printf("$ cloudops chat --show-request %q\n", "Stop "+name)
	if err := d.approved(d.command(ctx, "chat", "--show-request", "Stop "+name)); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	after, err := state()
	if err != nil {
		return err
	}
	fmt.Printf("\nRead back from AWS: %s was %s and is %s.\n", name, before, after)
	if after != "stopped" && after != "stopping" {
		return fmt.Errorf("stopping %s: AWS says that it is %s", name, after)
	}
	return nil
}

func (d *demo) dbState(ctx context.Context, id string) (string, error) {
	out, err := rds.NewFromConfig(d.estate.Config(awstest.West)).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		return "", fmt.Errorf("reading back from AWS: %w", err)
	}
	return *out.DBInstances[0].DBInstanceStatus, nil
}

func (d *demo) instanceState(ctx context.Context, id string) (string, error) {
	out, err := ec2.NewFromConfig(d.estate.Config(awstest.West)).DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return "", fmt.Errorf("reading back from AWS: %w", err)
	}
	return string(out.Reservations[0].Instances[0].State.Name), nil
}
