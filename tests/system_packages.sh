#!/bin/sh
# Debian packages the tests drive: a browser, a DICOM validator and reader, a Java runtime for METEOR, PostgreSQL, an archive.
# Installed when we may; else named.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v dciodvfy >/dev/null 2>&1 || missing="$missing dicom3tools"
command -v dcmdump >/dev/null 2>&1 || missing="$missing dcmtk"
command -v java >/dev/null 2>&1 || missing="$missing default-jre-headless"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -x /usr/sbin/Orthanc ] || missing="$missing orthanc"
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing="$missing orthanc-dicomweb"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # word splitting of $missing is meant
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core >/dev/null
else
    echo "The tests that need these programs will say that they are skipped; install them to run them:$missing" >&2
fi
