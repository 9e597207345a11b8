"""Starts tine-collector for a test, reads its log and talks HTTP to it."""

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time

from tests.testdata import make_golden
from tests.testing import programs

COLLECTOR = programs.path('collector/tine-collector')
GOLDEN = programs.path('tests/testdata/golden')
# Nothing in here takes a second; a busy machine may.
DEADLINE_SECONDS = programs.TIMEOUT_S


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
        return True
    except OSError:
        return False


def place(directory, data, pid=1):
    """Puts a metric file there, complete from its first moment."""
    name = '%d.%s.tine' % (pid, data[32:48].hex())
    temp = os.path.join(directory, '.tine-tmp-' + '0' * 32)
    with open(temp, 'wb') as file:
        file.write(data)
    os.rename(temp, os.path.join(directory, name))
    return os.path.join(directory, name)


def place_golden(directory, name):
    with open(os.path.join(GOLDEN, name), 'rb') as file:
        return place(directory, file.read())


def counter_file(number, name, value):
    """The bytes of a metric file with one counter."""
    return make_golden.metric_file(number, [
        make_golden.cells(0, 0, {0: value}),
        make_golden.family(name, make_golden.COUNTER, make_golden.U64),
        make_golden.series(make_golden.FIRST_FAMILY, 0, 1),
    ])


def run(*arguments, **options):
    """Runs the collector to its end."""
    return programs.run(COLLECTOR, *arguments, **options)


class CollectorProcess:
    """A serving collector; stopped with the test that it is made for."""

    def __init__(self, test, *arguments, addresses=('127.0.0.1:0',),
                 program=COLLECTOR, deadline_s=DEADLINE_SECONDS, **options):
        flags = ['--web.listen-address=' + address for address in addresses]
        self._process = programs.start(
            test, program, *flags, *arguments, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, **options)
        test.addCleanup(self._end_log)  # comes before the end of the process
        self._deadline_s = deadline_s
        self._lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.ports = []
        for _ in addresses:
            line = self.wait_for_log(r'msg=listening address=\S*:(\d+)',
                                     skip=len(self.ports))
            self.ports.append(int(line.group(1)))

    def _end_log(self):
        self._process.kill()
        self._reader.join()

    def _read_log(self):
        for line in self._process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._lines.append(None)
            self._changed.notify_all()

    def log(self):
        with self._changed:
            return ''.join(line for line in self._lines if line)

    def wait_for_log(self, pattern, skip=0):
        """The match of the line number `skip` that has the pattern."""
        deadline = time.monotonic() + self._deadline_s
        with self._changed:
            while True:
                matches = [re.search(pattern, line) for line in self._lines
                           if line]
                matches = [match for match in matches if match]
                if len(matches) > skip:
                    return matches[skip]
                if None in self._lines or time.monotonic() > deadline:
                    raise AssertionError('no %r in the log:\n%s' % (
                        pattern, ''.join(line for line in self._lines if line)))
                self._changed.wait(1)

    def request(self, path, method='GET', host='127.0.0.1', port=None,
                headers=None):
        """Status, headers and body of one request on its own connection."""
        connection = http.client.HTTPConnection(
            host, port or self.ports[0], timeout=self._deadline_s)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def scrape(self):
        """The merged text, as soon as the collector is ready."""
        deadline = time.monotonic() + self._deadline_s
        while True:
            status, _, body = self.request('/metrics')
            if status == 200:
                return body
            assert status == 503, (status, body)
            assert time.monotonic() < deadline, 'never ready'
            time.sleep(0.01)

    @property
    def pid(self):
        return self._process.pid

    def stop(self, signal_number=signal.SIGTERM):
        """Exit code after the signal."""
        self._process.send_signal(signal_number)
        return self._process.wait(self._deadline_s)
