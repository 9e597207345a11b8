"""The project's programs, as tests in Python start them."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

TIMEOUT_S = 30


# client_python, the reference reader of the text format, if it is installed.
CLIENT_PYTHON = '/usr/lib/python3/dist-packages/prometheus_client'
_PARSE = ('import sys\n'
          'from prometheus_client.parser import text_string_to_metric_families\n'
          'for _ in text_string_to_metric_families(sys.stdin.read()): pass\n')


def parse_with_client_python(text):
    """The run of a parser over the exposition; .returncode 0 when it likes it."""
    return run('/usr/bin/python3', '-c', _PARSE, input=text)


def path(label_path):
    """'tools/tine-emit' -> the built program, which must be in `data`."""
    return os.path.abspath(label_path)


def is_sanitized(program):
    """Was the program at this path built with a sanitizer of memory or races?"""
    with open(program, 'rb') as binary:
        content = binary.read()
    return b'__asan_init' in content or b'__tsan_init' in content


def is_instrumented(program):
    """Was the program at this path built with any sanitizer?"""
    with open(program, 'rb') as binary:
        has_ubsan = b'__ubsan_' in binary.read()
    return has_ubsan or is_sanitized(program)


def metrics_directory(case):
    """A new directory in shared memory, removed at the end of the test case."""
    directory = tempfile.mkdtemp(prefix='test-tine-', dir='/dev/shm')
    case.addCleanup(shutil.rmtree, directory, ignore_errors=True)
    return directory


def run(*command, **options):
    """Runs to the end; .stdout and .stderr are text."""
    options.setdefault('timeout', TIMEOUT_S)
    return subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False,
                          **options)


def start(case, *command, **options):
    """Starts a program that the end of the test case kills, if need be."""
    process = subprocess.Popen(command, text=True, **options)

    def end():
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    case.addCleanup(end)
    return process


def wait_until(condition, what, timeout_s=TIMEOUT_S):
    """Returns the condition's first true value."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError('still waiting after %d s: %s' % (timeout_s, what))


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def get(url, timeout=TIMEOUT_S):
    """The body of a 200 answer as text; OSError otherwise."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()
