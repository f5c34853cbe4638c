#!/bin/sh
# Set up what the tests want beside Python: a JDK, Maven, Redis and Chromium (installed where this may install
# packages), and the Elasticsearch jars. Says in one line what is missing, and then fails.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# install PACKAGE...: the first of the packages that this system knows
install() {
    may_install || return 0
    [ -n "${updated:-}" ] || { apt-get update -qq || true; updated=yes; }
    for package; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 && return 0
    done
    return 0
}

new_jdk() {
    for compiler in "${JAVA_HOME:-/nowhere}/bin/javac" "$(command -v javac || true)" /usr/lib/jvm/*/bin/javac; do
        [ -x "$compiler" ] || continue
        version=$("$compiler" -version 2>&1 | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        [ "${version:-0}" -ge 21 ] && return 0
    done
    return 1
}

new_jdk || install openjdk-25-jdk-headless openjdk-21-jdk-headless
command -v mvn >/dev/null || install maven
command -v redis-server >/dev/null || install redis-server
command -v chromium >/dev/null || command -v google-chrome >/dev/null || install chromium chromium-browser

"$python" -m tests.support.elasticsearch_node setup
command -v redis-server >/dev/null || { echo "The tests of the queue need redis-server: install Redis" >&2; exit 1; }
command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo "The tests of the page need chromium: install Chromium" >&2; exit 1; }
