#!/bin/sh
# Before Ansible: packages up to date, and a Python to run it with. As root, on dnf and on apt.
set -eu

: "${UPDATE_PACKAGES:=true}"

# Red Hat's registration would give this machine an identity of its own, minutes after its boot. It stays enabled.
if systemctl --quiet is-active rhsmcertd.service; then systemctl stop rhsmcertd.service; fi

if command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  [ "$UPDATE_PACKAGES" != true ] || apt-get -q -y upgrade
  apt-get -q -y install --no-install-recommends python3 python3-apt
elif command -v dnf >/dev/null; then
  [ "$UPDATE_PACKAGES" != true ] || dnf -y upgrade
  dnf -y install python3
else
  echo "prepare: neither apt-get nor dnf is here; allowed are Debian, Ubuntu, RHEL 9 and Amazon Linux" >&2
  exit 1
fi
