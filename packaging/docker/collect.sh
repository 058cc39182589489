#!/bin/sh
# Puts a trickblock binary, with the shared libraries and the loader it needs, below a directory
# that `docker build` can take as its context.
#
#   sh packaging/docker/collect.sh target/release/trickblock build/image
#   docker build -t trickblock -f packaging/docker/Dockerfile build/image
#
# The image has no package manager, no shell, and nothing else that could be attacked or go stale.
# HTTPS feeds need the system's certificates, which are taken along where there are some.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: collect.sh BINARY DIRECTORY" >&2
    exit 2
fi
binary=$1
root=$2/root

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/run/trickblock" "$root/var/lib/trickblock"
cp "$binary" "$root/usr/bin/trickblock"

# "libc.so.6 => /lib/… (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)".
ldd "$binary" | tr -s ' \t' '\n\n' | grep '^/' | while read -r library; do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
# Host names of feeds are resolved by these; glibc loads them when it needs them.
for library in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
    for directory in /lib/x86_64-linux-gnu /lib/aarch64-linux-gnu /lib64 /usr/lib64; do
        if [ -e "$directory/$library" ]; then
            mkdir -p "$root$directory"
            cp -L "$directory/$library" "$root$directory/$library"
            break
        fi
    done
done
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
for roots in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -e "$roots" ]; then
        cp -L "$roots" "$root/etc/ssl/certs/ca-certificates.crt"
        break
    fi
done
