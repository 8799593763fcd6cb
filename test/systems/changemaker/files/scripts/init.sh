#!/bin/sh
chown -R "$OWNER" /uploads /site
