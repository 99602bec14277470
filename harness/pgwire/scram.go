package pgwire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// The codes of authentication messages.
const (
	authOK       = 0
	authSASL     = 10
	authContinue = 11
	authFinal    = 12
)

// mechanism is the only one that a server without TLS offers.
const mechanism = "SCRAM-SHA-256"

// selectVerifier returns what the server would check the password of this backend's role against now.
// Only a superuser may run it.
const selectVerifier = `SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) session_user ` +
	`AND rolcanlogin AND coalesce(rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now(), true)`

// verifier is what PostgreSQL keeps in place of a password, as RFC 5803 has it. It is never printed.
type verifier struct {
	iterations, salt  string
	stored, serverKey []byte
}

func parseVerifier(s string) (*verifier, error) {
	bad := fmt.Errorf("%w: no SCRAM verifier", errUnexpected) // what it is instead is nobody's business
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == '$' || r == ':' })
	if len(fields) != 5 || fields[0] != mechanism {
		return nil, bad
	}
	stored, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil || len(stored) != sha256.Size {
		return nil, bad
	}
	serverKey, err := base64.StdEncoding.DecodeString(fields[4])
	if err != nil || len(serverKey) != sha256.Size {
		return nil, bad
	}
	return &verifier{fields[1], fields[2], stored, serverKey}, nil
}

// proof is one client's authentication, the server's side of it.
type proof struct {
	verifier *verifier
	bound    string // the GS2 header
	messages string // what both have said so far
	nonce    string
}

// authentication is an Authentication message.
func authentication(code uint32, data string) []byte {
	return message('R', string(binary.BigEndian.AppendUint32(nil, code))+data)
}

// refused is what PostgreSQL says about a wrong password.
func refused(user string) []byte {
	return message('E', "SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed for user \""+user+"\"\x00"+
		"Fauth.c\x00L0\x00Rauth_failed\x00\x00")
}

// step answers a client's message; done after the last. ok is false when the client has not proven that
// it knows the password.
func (p *proof) step(msg []byte) (answer []byte, done, ok bool) {
	if len(msg) < headSize || msg[0] != 'p' {
		return nil, false, false
	}
	body := msg[headSize:]
	if p.nonce == "" {
		answer, ok = p.first(body)
		return answer, false, ok
	}
	answer, ok = p.last(string(body))
	return answer, true, ok
}

// first answers a SASLInitialResponse: the mechanism, a length, and "n,,n=,r=nonce".
func (p *proof) first(body []byte) ([]byte, bool) {
	name, rest, found := bytes.Cut(body, []byte{0})
	if !found || string(name) != mechanism || len(rest) < 4 {
		return nil, false
	}
	fields := strings.SplitN(string(rest[4:]), ",", 3)
	if len(fields) != 3 || fields[0] != "n" && fields[0] != "y" || fields[1] != "" {
		return nil, false
	}
	_, nonce, found := strings.Cut(fields[2], ",r=")
	if !found || nonce == "" || strings.Contains(nonce, ",") {
		return nil, false
	}
	p.bound, p.nonce = fields[0]+",,", nonce+rand.Text()
	challenge := "r=" + p.nonce + ",s=" + p.verifier.salt + ",i=" + p.verifier.iterations
	p.messages = fields[2] + "," + challenge
	return authentication(authContinue, challenge), true
}

// last answers a SASLResponse: "c=header,r=nonce,p=proof".
func (p *proof) last(body string) ([]byte, bool) {
	said, proof64, found := strings.Cut(body, ",p=")
	if !found || said != "c="+base64.StdEncoding.EncodeToString([]byte(p.bound))+",r="+p.nonce {
		return nil, false
	}
	clientKey, err := base64.StdEncoding.DecodeString(proof64)
	if err != nil || len(clientKey) != sha256.Size {
		return nil, false
	}
	p.messages += "," + said
	subtle.XORBytes(clientKey, clientKey, keyed(p.verifier.stored, p.messages))
	if sum := sha256.Sum256(clientKey); subtle.ConstantTimeCompare(sum[:], p.verifier.stored) != 1 {
		return nil, false
	}
	signature := keyed(p.verifier.serverKey, p.messages)
	return authentication(authFinal, "v="+base64.StdEncoding.EncodeToString(signature)), true
}

func keyed(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
