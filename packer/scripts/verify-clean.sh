#!/bin/sh
# The pair of clean.sh, and the bake's last word: fails, naming each of them, if anything is left that
# belongs to this build or to this one host. As root. ROOT is a folder to look at instead of /, for tests.
set -eu

ROOT=${ROOT-}
found=0

left() {
  echo "verify-clean: $1" >&2
  found=1
}

# Each path given that exists, except empty folders.
absent() {
  for path; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    if [ -d "$path" ] && [ -z "$(find "$path" -mindepth 1 -print -quit)" ]; then continue; fi
    left "${path#"$ROOT"} is still there"
  done
}

# Folders that may have folders, but no file.
none_below() {
  for folder; do
    [ -d "$folder" ] || continue
    file=$(find "$folder" -type f -print -quit)
    if [ -n "$file" ]; then left "${file#"$ROOT"} is still there"; fi
  done
}

[ ! -s "$ROOT/etc/machine-id" ] || left "/etc/machine-id is not empty"
[ -f "$ROOT/etc/machine-id" ] || left "/etc/machine-id is missing (it must be there, and empty)"
absent "$ROOT/var/lib/dbus/machine-id" "$ROOT/var/lib/systemd/random-seed" \
  "$ROOT/var/lib/systemd/credential.secret" "$ROOT/etc/hostname"
absent "$ROOT"/var/lib/cloud/instance "$ROOT"/var/lib/cloud/instances "$ROOT"/var/lib/cloud/data \
  "$ROOT"/var/lib/cloud/sem "$ROOT"/var/lib/cloud/seed/*
absent "$ROOT"/etc/ssh/ssh_host_*
absent "$ROOT"/var/lib/rhsm/facts "$ROOT"/var/lib/rhsm/cache "$ROOT"/etc/sysconfig/rhn/systemid "$ROOT"/var/lib/yum/uuid \
  "$ROOT"/etc/nvme/hostnqn "$ROOT"/etc/nvme/hostid "$ROOT"/etc/salt/minion_id "$ROOT"/etc/salt/pki/minion \
  "$ROOT"/etc/puppetlabs/puppet/ssl "$ROOT"/etc/puppet/ssl "$ROOT"/var/lib/puppet/ssl "$ROOT"/etc/docker/key.json \
  "$ROOT"/var/lib/docker/engine-id "$ROOT"/var/lib/tailscale/tailscaled.state "$ROOT"/var/lib/zerotier-one/identity.* \
  "$ROOT"/var/lib/amazon/ssm/Vault "$ROOT"/etc/sysconfig/hw-uuid "$ROOT"/etc/smolt "$ROOT"/etc/krb5.keytab
absent "$ROOT"/etc/lvm/devices/system.devices "$ROOT"/etc/blkid.tab "$ROOT"/etc/blkid/blkid.tab \
  "$ROOT"/etc/udev/rules.d/70-persistent-net.rules "$ROOT"/var/lib/rpm/__db.*
absent "$ROOT"/etc/passwd- "$ROOT"/etc/shadow- "$ROOT"/etc/group- "$ROOT"/etc/gshadow- "$ROOT"/etc/subuid- \
  "$ROOT"/etc/subgid- "$ROOT"/etc/security/opasswd
absent "$ROOT"/root/anaconda-*.cfg "$ROOT"/root/original-ks.cfg "$ROOT"/root/initial-setup-ks.cfg \
  "$ROOT"/root/anaconda-post.log "$ROOT"/root/install.log*
if [ -f "$ROOT/etc/iscsi/initiatorname.iscsi" ]; then
  grep -qx GenerateName=yes "$ROOT/etc/iscsi/initiatorname.iscsi" || left "/etc/iscsi/initiatorname.iscsi has a name"
fi
absent "$ROOT"/etc/pki/consumer "$ROOT"/etc/pki/entitlement "$ROOT"/etc/insights-client/machine-id \
  "$ROOT"/etc/insights-client/.registered "$ROOT"/etc/insights-client/.unregistered
if [ -z "$ROOT" ] && systemctl --quiet is-active rhsmcertd.service; then
  left "rhsmcertd.service runs, and may register this machine after the clean-up"
fi
absent "$ROOT"/etc/NetworkManager/system-connections/cloud-init-*.nmconnection \
  "$ROOT"/etc/sysconfig/network-scripts/ifcfg-eth0 "$ROOT"/var/lib/NetworkManager/secret_key \
  "$ROOT"/var/lib/NetworkManager/*lease* "$ROOT"/var/lib/NetworkManager/timestamps "$ROOT"/etc/dhcpcd.duid
if grep -qs '^HWADDR=' "$ROOT"/etc/sysconfig/network-scripts/ifcfg-*; then left "HWADDR= in /etc/sysconfig/network-scripts"; fi
for home in "$ROOT/root" "$ROOT"/home/*; do
  absent "$home"/.ssh/authorized_keys "$home"/.ssh/authorized_keys2 "$home"/.ssh/known_hosts* "$home/.ansible" \
    "$home/.cache" "$home"/.*_history "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
done
absent "$ROOT"/home/packer
absent "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/dnf/*
absent "$ROOT"/var/lib/dhcp "$ROOT"/var/lib/dhclient "$ROOT"/var/lib/dhcpcd "$ROOT"/var/lib/dhcpv6
absent "$ROOT"/var/spool/abrt "$ROOT"/var/lib/abrt
none_below "$ROOT/var/lib/sss/db" "$ROOT/var/lib/sss/mc" "$ROOT/var/lib/sss/secrets" "$ROOT/var/mail" \
  "$ROOT/var/spool/mail" "$ROOT/var/spool/mqueue" "$ROOT/var/spool/clientmqueue" "$ROOT/var/spool/exim4/input" \
  "$ROOT/var/spool/postfix/maildrop" "$ROOT/var/spool/postfix/incoming" "$ROOT/var/spool/postfix/active" \
  "$ROOT/var/spool/postfix/deferred" "$ROOT/var/spool/at" "$ROOT/var/spool/cron/atjobs" "$ROOT/var/account" \
  "$ROOT/var/crash" "$ROOT/var/lib/systemd/coredump"
absent "$ROOT"/var/log/journal/*
logs=$(find "$ROOT/var/log" -type f -size +0 -exec printf '%s ' {} +)
[ -z "$logs" ] || left "not empty: $logs"

rm -f "$ROOT"/tmp/script_*.sh
absent "$ROOT"/tmp/* "$ROOT"/var/tmp/*

[ "$found" = 0 ] && echo "verify-clean: nothing is left"
exit "$found"
