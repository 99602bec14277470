// Package pgwire stands between a service and PostgreSQL on the wire. It knows the protocol's framing,
// and nothing of programs.
//
// [Warm] keeps server connections when clients close theirs: a backend takes PostgreSQL milliseconds to
// fork, and a case opens dozens. [Front] shows a keeper each batch of messages before it is sent, and when
// the server has answered; [Listener] lets services of any language through one.
package pgwire
