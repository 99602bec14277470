package pgwire

import "bytes"

// effect is what a statement may do to backends beside its own.
type effect struct {
	looks  bool // it names databases, to drop them or to see who is connected
	alters bool // it changes what a startup finds: settings, rights, who may log in
	custom bool // it gives a setting of the user's own a value, on its own backend
}

// names reports whether a batch of messages names a database.
func names(text []byte, database string) bool {
	return bytes.Contains(text, []byte(database)) ||
		bytes.Contains(text, bytes.ReplaceAll([]byte(database), []byte{'"'}, []byte(`""`)))
}

// effectOf reads a statement's words, wherever they stand: it may see more than there is.
func effectOf(text []byte) effect {
	var e effect
	for rest := text; ; {
		var word []byte
		word, rest = nextWord(rest)
		switch {
		case word == nil:
			return e
		case is(word, "pg_stat_activity"), is(word, "pg_stat_get_activity"):
			e.looks = true
		case is(word, "pg_reload_conf"):
			e.alters = true
		case is(word, "drop"), is(word, "create"):
			object, _ := nextWord(rest)
			e.looks = e.looks || is(object, "database")
			e.alters = e.alters || is(word, "drop") && account(object)
		case is(word, "alter"):
			object, _ := nextWord(rest)
			e.alters = e.alters || is(object, "database") || is(object, "system") || account(object)
		case is(word, "revoke"):
			e.alters = true
		case is(word, "set"):
			e.custom = e.custom || dotted(rest)
		case is(word, "set_config"):
			e.custom = e.custom || !plainName(rest)
		}
	}
}

func is(word []byte, name string) bool {
	return len(word) == len(name) && bytes.EqualFold(word, []byte(name))
}

func account(word []byte) bool { return is(word, "role") || is(word, "user") || is(word, "group") }

// dotted reports whether what follows SET is a custom setting, whose name has a dot in it.
func dotted(rest []byte) bool {
	word, after := nextWord(rest)
	if is(word, "local") || is(word, "session") {
		_, after = nextWord(after)
	}
	return bytes.HasPrefix(bytes.TrimLeft(after, "\" \t\r\n"), []byte{'.'})
}

// plainName reports whether the first argument of set_config is a literal without a dot.
func plainName(rest []byte) bool {
	_, literal, ok := bytes.Cut(rest, []byte{'\''})
	name, _, closed := bytes.Cut(literal, []byte{'\''})
	before, _ := nextWord(rest)
	return ok && closed && bytes.HasPrefix(name, before) && !bytes.ContainsRune(name, '.')
}

// nextWord returns the next run of letters, digits and underscores, and what comes after it.
func nextWord(b []byte) (word, rest []byte) {
	start := 0
	for start < len(b) && !letter(b[start]) {
		start++
	}
	end := start
	for end < len(b) && letter(b[end]) {
		end++
	}
	if start == end {
		return nil, nil
	}
	return b[start:end], b[end:]
}

func letter(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// and joins what several statements do.
func (e effect) and(o effect) effect {
	return effect{e.looks || o.looks, e.alters || o.alters, e.custom || o.custom}
}
