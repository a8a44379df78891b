# systemd as the first process of namespaces of its own, in a root of this machine's programs and no settings or units of it.
#
#   unshare --mount --pid --ipc --uts --cgroup --fork sh systemd_root.sh DIRECTORY
#
# DIRECTORY/added has what the root has besides, or in place of this machine's; DIRECTORY/run is its /run. DIRECTORY/root is where
# it is mounted meanwhile. The last line of standard output is the process ID, as the caller's namespace has it.
#
# Status 77: this machine refuses a mount.
set -eu
mount() { command mount "$@" || exit 77; }
here=$1 root=$1/root
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir dev etc proc root run sys tmp usr var old
for link in bin lib lib32 lib64 libx32 sbin; do
	if [ -L "/$link" ]; then cp -P "/$link" .; fi
done
mount -t overlay -o "lowerdir=$here/added/usr:/usr" overlay usr
# No unit of this machine: what they do is for all of it.
mount -t tmpfs -o mode=755 tmpfs usr/lib/systemd/system
mount -t tmpfs tmpfs usr/lib/systemd/system-generators
cp /usr/lib/systemd/system/*.target /usr/lib/systemd/system/systemd-journald.service /usr/lib/systemd/system/systemd-journald.socket \
	/usr/lib/systemd/system/systemd-journald-dev-log.socket "$here"/added/units/* usr/lib/systemd/system
mkdir usr/lib/systemd/system/sysinit.target.wants
ln -s ../systemd-journald.service usr/lib/systemd/system/sysinit.target.wants
for settings in alternatives group ld.so.cache nsswitch.conf os-release passwd; do
	if [ -e "/etc/$settings" ]; then cp -a "/etc/$settings" etc; fi
done
cp -a "$here/added/etc/." etc
echo 0123456789abcdef0123456789abcdef >etc/machine-id
ln -s ../run var/run
read -r process _ </proc/self/stat # /proc is the caller's still
mount -t proc proc proc
mount --bind proc/sys/net proc/sys/net # its network's, which are all that it may set
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in full null random tty urandom zero; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
mount --bind "$here/run" run
pivot_root . old
umount -l old
rmdir old
echo "$process"
exec env -i container=cnix-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal --show-status=no \
	--unit=multi-user.target
