package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/bitville/listener/shared/auth"
)

// fileSuffix behind a secret's name makes its value the path of a file that holds the secret, as container platforms
// hand secrets out. It is never a part of a project's name.
const fileSuffix = "_FILE"

// maxSecretFile bounds what is read of such a file, in bytes.
const maxSecretFile = 1 << 20

// secretName tells which secret a variable names the file of.
func (p program) secretName(name string) (secret string, ok bool) {
	at := len(name) - len(fileSuffix)
	if at < 0 || !strings.EqualFold(name[at:], fileSuffix) {
		return "", false
	}
	secret = name[:at]
	return secret, p.isSecret(secret)
}

// isSecret tells whether a variable holds what must not be shown.
func (p program) isSecret(name string) (is bool) {
	p.eachField(func(field reflect.StructField, known string) {
		is = is || known == name && field.Type == reflect.TypeFor[auth.Secret]()
	})
	return is || isKeys(name)
}

// isKeys tells whether a variable holds keys.
func isKeys(name string) bool { return apiKeys.has(name) || readKeys.has(name) }

// readFiles puts the secrets that stand in files in the place of the variables that name these. wanted tells which
// secrets the reader needs. No text that it returns holds the path of what is not there: it may be a key.
func (p program) readFiles(vars map[string]string, wanted func(secret string) bool) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		secret, ok := p.secretName(name)
		path := vars[name]
		if strings.EqualFold(name, apiKeys.prefix+fileSuffix[1:]) && !ok {
			delete(vars, name)
			problems = append(problems, fmt.Errorf("%s names no project: set %s<PROJECT>%s or %s%s to the path of a file; the keys of a project named file are set in %s", name, apiKeys.prefix, fileSuffix, apiKeys.all, fileSuffix, apiKeys.all))
			continue
		}
		if !ok {
			continue
		}
		delete(vars, name)
		switch {
		case !wanted(secret):
			continue
		case path == "" && !isKeys(secret) || path == "" && vars[secret] != "":
			continue
		case vars[secret] != "":
			problems = append(problems, fmt.Errorf("%s and %s are both set: set one of them", secret, name))
			continue
		}
		value, err := readSecret(path)
		if err != nil {
			delete(vars, secret)
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		vars[secret] = value
	}
	return problems
}

// readSecret returns what a file holds, without a byte order mark and blanks around it.
func readSecret(path string) (string, error) {
	if path == "" {
		return "", errors.New("it is empty: set the path of a file")
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO that nobody writes would never open
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return "", errors.New("there is no such file: set the path of one that holds the secret; a secret itself is set without " + fileSuffix + ", and a project whose name ends in _file has its keys in " + apiKeys.all)
	case errors.Is(err, fs.ErrPermission):
		return "", errors.New("the file cannot be read by the user that runs this: give it that user or its group")
	case err != nil:
		return "", fmt.Errorf("the file cannot be opened: %w", errors.Unwrap(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", errors.New("it names a folder: set the path of a file in it")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", errors.Unwrap(err))
	}
	switch {
	case len(data) > maxSecretFile:
		return "", fmt.Errorf("the file is larger than %d bytes: name one that holds the secret alone", maxSecretFile)
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "", errors.New("the file is UTF-16: save it as UTF-8, or ASCII")
	}
	text := string(bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	if text == "" {
		return "", errors.New("the file is empty: write the secret into it")
	}
	return text, nil
}
