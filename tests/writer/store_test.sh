#!/bin/bash
# Runs a test program of the writer over another store.
#
#   store_test.sh STORE PROGRAM GTEST_FILTER
TINE_STORE=$1 exec "$2" --gtest_filter="$3"
