#!/usr/bin/env bash
# Unpacks Debian's Neovim into a folder, for tests: no root, no system change.
# Usage: install-nvim.sh DIRECTORY      afterwards DIRECTORY/nvim runs.
# The suite is pinned, so that all runs test the same Neovim.
set -euo pipefail

suite=trixie
version=0.10.4
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
dest=$(cd "$1" && pwd)

works() { [ -x "$dest/nvim" ] && [ "$("$dest/nvim" --version 2>/dev/null | head -1)" = "NVIM v$version" ]; }
works && exit 0

[ -r "$keyring" ] || { echo "$0: $keyring is missing: install debian-archive-keyring" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,etc,new}
: > "$work/status"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$work/sources.list"
arch=$(dpkg --print-architecture)
apt=(
	-qq
	-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
	-o Dir::Etc::Parts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o Dir::Etc::Preferences=/dev/null
	-o Dir::State="$work" -o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status"
	-o Dir::Cache="$work/cache" -o APT::Architecture="$arch" -o APT::Install-Recommends=false
	-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=true
)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" --yes --download-only install neovim
for deb in "$work"/cache/archives/*.deb; do
	dpkg-deb -x "$deb" "$work/new"
done

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
