#!/usr/bin/env bash
# Unpacks Debian's Neovim into a folder, for tests: no root, no system change.
# Usage: install-nvim.sh DIRECTORY      afterwards DIRECTORY/nvim runs.
set -euo pipefail

version=0.10.4

[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
dest=$(cd "$1" && pwd)

works() { [ -x "$dest/nvim" ] && [ "$("$dest/nvim" --version 2>/dev/null | head -1)" = "NVIM v$version" ]; }
works && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/../../../.ci/unpack" "$work/new" neovim

rm -rf "$dest/root"
mv "$work/new" "$dest/root"
libs=$(dirname "$(find "$dest/root" -name 'libluajit-5.1.so.2' -print -quit)")
loader=$(find "$libs" "$dest/root/lib64" "$dest/root/usr/lib64" -name 'ld-linux-*.so.*' -print -quit 2>/dev/null)
# Parsers, such as the one for hover text, stand outside of the runtime.
cat > "$dest/nvim" <<END
#!/bin/sh
VIMRUNTIME='$dest/root/usr/share/nvim/runtime' exec '$loader' --library-path '$libs' '$dest/root/usr/bin/nvim' --cmd 'set rtp^=$dest/root/usr/lib/nvim' "\$@"
END
chmod +x "$dest/nvim"
works || { echo "$0: $dest/nvim is not NVIM v$version" >&2; "$dest/nvim" --version >&2; exit 1; }
