#!/usr/bin/env bash
# Unpacks the editors that Debian has, for tests: no root, no system change.
# Usage: install.sh DIRECTORY      afterwards DIRECTORY/hx and DIRECTORY/emacs run.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
dest=$(cd "$1" && pwd)

works() {
	[ -x "$dest/hx" ] && [ "$("$dest/hx" --version 2>/dev/null)" = "helix 25.01.1" ] &&
		[ -x "$dest/emacs" ] && "$dest/emacs" --batch --eval "(require 'lsp-mode)" --eval '(princ emacs-version)' 2>/dev/null | grep -q '^30\.1'
}
works && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Emacs is linked with a compiler that it can do without, and only that library.
SKIP='^(binutils|gcc-|libgcc-14-dev|lib[a-z]*san|libc6-dev|libc-dev|linux-libc|perl-modules|libperl|perl_|emacs-el|libctf|libgprof|libitm|libgomp|libquadmath|rpcsvc|libcrypt-dev)' \
	"$(dirname "$0")/../../.ci/unpack" "$work/new" hx emacs-nox elpa-lsp-mode
rm -rf "$dest/root"
mv "$work/new" "$dest/root"

libs=$(dirname "$(find "$dest/root" -name 'libtinfo.so.6' -print -quit)")
loader=$(find "$libs" "$dest/root/lib64" "$dest/root/usr/lib64" -name 'ld-linux-*.so.*' -print -quit 2>/dev/null)
cat > "$dest/hx" <<END
#!/bin/sh
HELIX_RUNTIME='$dest/root/usr/lib/hx/runtime' exec '$loader' --library-path '$libs' '$dest/root/usr/lib/hx/hx' "\$@"
END
share=$(echo "$dest"/root/usr/share/emacs/[0-9]*)
lisp=$(find "$share/lisp" "$dest"/root/usr/share/emacs/site-lisp/elpa-src/* -type d | paste -sd:)
cat > "$dest/emacs" <<END
#!/bin/sh
export EMACSLOADPATH='$lisp' EMACSDATA='$share/etc' EMACSDOC='$share/etc'
exec '$loader' --library-path '$libs' '$dest/root/usr/bin/emacs-nox' --dump-file='$(find "$dest/root" -name '*.pdmp' -print -quit)' -Q \\
	--eval '(setq native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil)' "\$@"
END
chmod +x "$dest/hx" "$dest/emacs"
works || { echo "$0: what was unpacked does not run" >&2; exit 1; }
