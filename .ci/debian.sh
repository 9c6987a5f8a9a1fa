# shellcheck shell=bash
# Unpacks Debian packages without installing them, for packages that this machine's release does not have. To be sourced.

debian_release=trixie # the one whose Python is 3.13

# shellcheck disable=SC2016 # apt's own placeholders
debian_mirror() { # the mirror in this machine's apt sources
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# shellcheck disable=SC2016 # the hook is run by mmdebstrap's shell
unpack_debian() { # DIRECTORY PACKAGES: unpack packages and what they depend on
    local mirror
    if ! command -v mmdebstrap >/dev/null; then
        apt-get -qq update >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends mmdebstrap >/dev/null
    fi
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        apt-get -qq update >/dev/null
        mirror=$(debian_mirror)
    fi
    mmdebstrap --quiet --variant=extract --format=directory --include="$2" \
        --extract-hook='rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/cache/apt' \
        "$debian_release" "$1" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $debian_release main"
}
