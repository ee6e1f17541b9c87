// A server of golang.org/x/crypto/ssh, as SFTPGo, Teleport, Gitea and many appliances are: options as JSON in argv.
//
// port, keys    where to listen, the folder with the keys
// methods       of password, publickey, keyboard-interactive; default password
// tries         MaxAuthTries; default the library's 6
// ciphers, kex, macs   what is offered; default the library's
// refuse        of channel, exec, subsystem, pty: what is refused
// sftp          "deny": SFTP answers that permission is denied; "die": it ends at once
// banner        what the user is told before the login
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

type options struct {
	Port    int
	Keys    string
	Methods []string
	Tries   int
	Ciphers []string
	Kex     []string
	Macs    []string
	Refuse  []string
	Sftp    string
	Banner  string
}

const user, password = "devi", "Ochre.Lantern.5"

var given options

func has(names []string, name string) bool {
	for _, one := range names {
		if one == name {
			return true
		}
	}
	return false
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	check(json.Unmarshal([]byte(os.Args[1]), &given))
	if given.Methods == nil {
		given.Methods = []string{"password"}
	}
	config := &ssh.ServerConfig{MaxAuthTries: given.Tries}
	config.Ciphers, config.KeyExchanges, config.MACs = given.Ciphers, given.Kex, given.Macs
	if given.Banner != "" {
		config.BannerCallback = func(ssh.ConnMetadata) string { return given.Banner }
	}
	if has(given.Methods, "password") {
		config.PasswordCallback = func(c ssh.ConnMetadata, got []byte) (*ssh.Permissions, error) {
			if c.User() == user && string(got) == password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	if has(given.Methods, "keyboard-interactive") {
		config.KeyboardInteractiveCallback = func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			got, err := ask("", "Sign in to the depot", []string{"Password: "}, []bool{false})
			if err == nil && c.User() == user && len(got) == 1 && got[0] == password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	if has(given.Methods, "publickey") {
		text, err := os.ReadFile(given.Keys + "/rsa.pub")
		check(err)
		known, _, _, _, err := ssh.ParseAuthorizedKey(text)
		check(err)
		config.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() == user && string(key.Marshal()) == string(known.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	for _, name := range []string{"host_rsa", "host_ed25519"} {
		text, err := os.ReadFile(given.Keys + "/" + name)
		check(err)
		signer, err := ssh.ParsePrivateKey(text)
		check(err)
		config.AddHostKey(signer)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(given.Port))
	check(err)
	fmt.Println("listening on", given.Port)
	for {
		connection, err := listener.Accept()
		check(err)
		go serve(connection, config)
	}
}

func serve(connection net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		connection.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	for asked := range channels {
		if asked.ChannelType() != "session" || has(given.Refuse, "channel") {
			asked.Reject(ssh.Prohibited, "not here")
			continue
		}
		channel, requests, err := asked.Accept()
		if err != nil {
			return
		}
		go session(channel, requests)
	}
}

func session(channel ssh.Channel, requests <-chan *ssh.Request) {
	for request := range requests {
		kind := strings.TrimSuffix(request.Type, "-req")
		if has(given.Refuse, kind) || (kind != "exec" && kind != "subsystem" && kind != "pty") {
			request.Reply(false, nil)
			continue
		}
		request.Reply(true, nil)
		switch kind {
		case "exec":
			io.WriteString(channel, "done\n")
			channel.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
			channel.Close()
		case "subsystem":
			go transfer(channel)
		}
	}
}

type denied struct{}

func (denied) Filelist(*sftp.Request) (sftp.ListerAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}
func (denied) Fileread(*sftp.Request) (io.ReaderAt, error) { return nil, sftp.ErrSSHFxPermissionDenied }
func (denied) Filewrite(*sftp.Request) (io.WriterAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}
func (denied) Filecmd(*sftp.Request) error { return sftp.ErrSSHFxPermissionDenied }

func transfer(channel ssh.Channel) {
	defer channel.Close()
	switch given.Sftp {
	case "die":
		channel.SendRequest("exit-status", false, []byte{0, 0, 0, 1})
	case "deny":
		all := denied{}
		sftp.NewRequestServer(channel, sftp.Handlers{FileGet: all, FilePut: all, FileCmd: all, FileList: all}).Serve()
	default:
		server, err := sftp.NewServer(channel)
		if err == nil {
			server.Serve()
		}
	}
}
