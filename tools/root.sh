# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the Debian 13 root that ./mesh enters on other Linux systems. Sourced by ./mesh, whose
# functions say, die, packages, become_root and variable cache it uses.
#
#   <cache>/root-<hash of the package list>   complete, never changed again
#   <cache>/root-<hash>.partial               being made; thrown away when found
#   <cache>/debs                              downloads, kept until a root is complete

: "${cache:?tools/root.sh is sourced by ./mesh}"
root_recipe=1 # part of the hash: count up when roots made earlier will not do any more
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

root_ensure() {
    local hash
    hash=$({ printf '%s %s\n' "$suite" "$root_recipe"; packages; } | sha256sum | cut -c1-16)
    root=$cache/root-$hash
    if [ ! -d "$root" ]; then
        mkdir -p "$cache"
        exec 9>"$cache/root.lock"
        if ! flock -n 9; then
            say "another ./mesh is making the Debian 13 root; waiting for it"
            flock 9
        fi
        [ -d "$root" ] || root_make
        exec 9>&-
    fi
    command -v bwrap >/dev/null || root_install_tools
    bwrap --ro-bind / / true 2>/dev/null ||
        die "bubblewrap cannot be used here: neither root nor user namespaces. On a system where
  'bwrap --ro-bind / / true' fails, run ./mesh as root, or in a container of debian:13 (.devcontainer/)." 2
}

# step TEXT COMMAND…: runs the command, its output in the log, and shows that it lives.
step() {
    local text=$1 started=$SECONDS status=0 shown=0 last
    shift
    printf '\n== %s\n' "$text" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null &
    step_pid=$!
    while kill -0 "$step_pid" 2>/dev/null; do
        sleep 0.5 9>&-
        if [ -t 2 ]; then
            last=$(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c1-60)
            printf '\r\033[Kmesh: %s … %d s  %s' "$text" $((SECONDS - started)) "$last" >&2
        elif [ $((SECONDS - started - shown)) -ge 10 ]; then
            shown=$((SECONDS - started))
            last=$(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c1-90)
            say "  $text … $shown s  ($last)"
        fi
    done
    wait "$step_pid" || status=$?
    step_pid=
    [ ! -t 2 ] || printf '\r\033[K' >&2
    if [ "$status" -ne 0 ]; then
        tail -n 5 "$log" | sed 's/^/    /' >&2
        die "$text failed (exit code $status). Whole log: $log. What was downloaded is kept; run ./mesh again to go on."
    fi
    say "$text: $((SECONDS - started)) s"
}

root_interrupted() {
    trap - INT TERM HUP
    if [ -n "${step_pid:-}" ]; then
        kill -TERM "$step_pid" 2>/dev/null || true
        wait "$step_pid" || true
    fi
    printf '\n' >&2
    die "interrupted. What was downloaded is kept; run ./mesh again to go on. Log: $log" 130
}

# The first Debian mirror that the source lists $@ name, in the deb822 or the one-line format.
mirror_in() {
    cat "$@" 2>/dev/null |
        sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
        grep -E '^(https?|file|mirror\+[a-z]+):.*/debian/?$' | head -n 1 || true
}

# Sets sources, what mmdebstrap is to install from: the host's mirror if it is a Debian, for there a
# near or reachable one is configured; else nothing, which means mmdebstrap's default.
root_sources() {
    local uri=''
    sources=()
    if grep -q '^ID=debian$' /etc/os-release 2>/dev/null; then
        uri=$(mirror_in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
    fi
    [ -z "$uri" ] || sources=("deb [signed-by=$keyring] $uri $suite main")
}

root_install_tools() {
    local wanted=() become=()
    command -v bwrap >/dev/null || wanted+=(bubblewrap)
    command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
    [ -e "$keyring" ] || wanted+=(debian-archive-keyring)
    [ ${#wanted[@]} -gt 0 ] || return 0
    if command -v apt-get >/dev/null && become_root; then
        say "installing ${wanted[*]}"
        if "${become[@]}" DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -q update && apt-get install -qy --no-install-recommends "$@"' \
            sh "${wanted[@]}" >>"${log:-$cache/root.log}" 2>&1; then
            return 0
        fi
    fi
    die "this system does not have all that packages.txt names, so tweetmesh wants a Debian 13 root of its own.
  Please install with your package manager: ${wanted[*]}" 2
}

# certificates_split FILE FOLDER: one certificate a file, which is what update-ca-certificates wants.
certificates_split() {
    mkdir -p "$2"
    awk -v out="$2/host-$(basename "${1%.*}")" \
        '/BEGIN CERT/{n++; on=1} on{print > (out "-" n ".crt")} /END CERT/{on=0}' "$1"
}

# The host's own CAs into the folder $1.
root_copy_certificates() {
    local folder file
    mkdir -p "$1"
    for folder in /usr/local/share/ca-certificates /etc/pki/ca-trust/source/anchors \
        /etc/ca-certificates/trust-source/anchors /etc/pki/trust/anchors; do
        find "$folder" -type f \( -name '*.crt' -o -name '*.pem' \) 2>/dev/null || true
    done | while IFS= read -r file; do
        certificates_split "$file" "$1"
    done
}

# Ends with a command run as root in the writable root $1; nothing of it outlives this process.
root_change() {
    local target=$1
    shift
    exec "${become[@]}" DEBIAN_FRONTEND=noninteractive bwrap --die-with-parent --unshare-pid --bind "$target" / \
        --dev-bind /dev /dev --proc /proc --tmpfs /run --tmpfs /tmp --bind "$cache/debs" /var/cache/apt/archives \
        --ro-bind "$(readlink -f /etc/resolv.conf)" /etc/resolv.conf --cap-add ALL --chdir / \
        --setenv HOME /root --setenv LC_ALL C.UTF-8 --unsetenv LD_PRELOAD --unsetenv TMPDIR \
        --setenv PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# The newest complete root whose packages are all in the list of today; prints its folder.
root_base() {
    local candidate newest=''
    for candidate in "$cache"/root-*/; do
        candidate=${candidate%/}
        case $candidate in *.partial) continue ;; esac
        [ -e "$candidate/etc/tweetmesh-packages" ] || continue
        grep -qx "recipe $root_recipe" "$candidate/etc/tweetmesh-recipe" || continue
        [ -z "$(LC_ALL=C comm -23 "$candidate/etc/tweetmesh-packages" <(packages))" ] || continue
        if [ -z "$newest" ] || [ "$candidate" -nt "$newest" ]; then newest=$candidate; fi
    done
    [ -n "$newest" ] && printf '%s' "$newest"
}

root_make() {
    local sources base count older started=$SECONDS
    root_sources
    count=$(packages | wc -l)
    mkdir -p "$cache/debs"
    log=$cache/root.log
    : >"$log"
    trap root_interrupted INT TERM HUP
    say "making the Debian 13 root: $count packages (once, about 1 GB to fetch and some minutes)"
    root_install_tools
    if become_root; then
        "${become[@]}" rm -rf --one-file-system "$root.partial"
        if base=$(root_base); then
            step "copying the root of an earlier package list" "${become[@]}" cp -a "$base" "$root.partial"
        else
            step "installing the base system" "${become[@]}" setpriv --pdeathsig TERM mmdebstrap --mode=root --variant=apt \
                --include=ca-certificates --keyring="$keyring" --aptopt='Acquire::Retries "5"' \
                --dpkgopt=force-unsafe-io "$suite" "$root.partial" "${sources[@]}"
        fi
        step "preparing the root" root_prepare
        step "fetching the package index" root_change "$root.partial" apt-get -o APT::Update::Error-Mode=any update
        mapfile -t names < <(packages)
        step "fetching $count packages and what they need" root_change "$root.partial" \
            apt-get -y --download-only --no-install-recommends install "${names[@]}"
        step "installing $count packages" root_change "$root.partial" \
            sh -c 'apt-get -y dist-upgrade && apt-get -y --no-install-recommends install "$@" && update-ca-certificates' sh "${names[@]}"
        # shellcheck disable=SC2016 # for the inner shell
        packages | "${become[@]}" sh -c 'cat >"$1.partial/etc/tweetmesh-packages" && echo "recipe $2" >"$1.partial/etc/tweetmesh-recipe" &&
            rm -rf "$1.partial"/var/lib/apt/lists/* && mv "$1.partial" "$1" && rm -rf "$3"' sh "$root" "$root_recipe" "$cache/debs"
    else
        root_make_unprivileged "${sources[@]}"
    fi
    trap - INT TERM HUP
    older=$(find "$cache" -maxdepth 1 -name 'root-*' -type d ! -path "$root" | tr '\n' ' ')
    [ -z "$older" ] || say "roots of other package lists, which may go if no other checkout needs them: $older"
    say "the Debian 13 root is ready after $((SECONDS - started)) s: $root"
}

root_prepare() {
    local staging=$cache/ca-certificates
    rm -rf "$staging"
    root_copy_certificates "$staging"
    # shellcheck disable=SC2016 # for the inner shell
    "${become[@]}" sh -c 'set -e; cd "$1"
        mkdir -p usr/local/share/ca-certificates
        find "$2" -name "*.crt" -exec cp {} usr/local/share/ca-certificates/ \;
        printf "Acquire::Retries \"5\";\nAPT::Sandbox::User \"root\";\nAPT::Keep-Downloaded-Packages \"true\";\n" >etc/apt/apt.conf.d/99tweetmesh
        echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/tweetmesh
        printf "#!/bin/sh\nexit 101\n" >usr/sbin/policy-rc.d; chmod +x usr/sbin/policy-rc.d
        rm -f etc/resolv.conf etc/hosts; : >etc/resolv.conf; : >etc/hosts' sh "$root.partial" "$staging"
    rm -rf "$staging"
}

# Without root: mmdebstrap in a user namespace writes a tar, which becomes files of our own.
root_make_unprivileged() {
    if ! command -v newuidmap >/dev/null || ! grep -qE "^($(id -un)|$(id -u)):" /etc/subuid 2>/dev/null ||
        ! bwrap --ro-bind / / true 2>/dev/null; then
        die "not root, and sudo asks for a password. Run ./mesh once as root, or see to what making
  the Debian 13 root without root needs: the packages uidmap, mmdebstrap and bubblewrap, a line for
  $(id -un) in /etc/subuid and /etc/subgid, and unprivileged user namespaces." 2
    fi
    chmod -Rf u+w "$root.partial" 2>/dev/null || true
    rm -rf "$root.partial"
    mkdir -p "$root.partial" "$cache/ca-certificates"
    root_copy_certificates "$cache/ca-certificates"
    # shellcheck disable=SC2016 # for the inner shell
    step "installing $(packages | wc -l) packages without root" \
        mmdebstrap --verbose --mode=unshare --variant=apt --include="$(packages | paste -sd,)" --keyring="$keyring" \
        --aptopt='Acquire::Retries "5"' --customize-hook="copy-in $cache/ca-certificates /usr/local/share" \
        --customize-hook='chroot "$1" update-ca-certificates' "$suite" "$root.partial.tar" "$@"
    step "unpacking the root" \
        tar -x --exclude='./dev/*' --no-same-owner -C "$root.partial" -f "$root.partial.tar"
    rm "$root.partial.tar"
    rm -rf "$cache/ca-certificates"
    rm -f "$root.partial/etc/resolv.conf" "$root.partial/etc/hosts"
    : >"$root.partial/etc/resolv.conf"
    : >"$root.partial/etc/hosts"
    mv "$root.partial" "$root"
}
