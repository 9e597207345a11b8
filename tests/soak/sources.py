"""Where the soak's answers come from: two collectors, and --once in a loop.

Any of the collectors may be dead, stopped or not ready at any moment: no answer
is no answer. Every answer that comes whole is judged.
"""

import collections
import http.client
import os
import re
import subprocess
import threading
import time

from tests.soak import truth

DEADLINE_S = 120
PERIOD_S = 0.02  # 50 scrapes a second
LISTENING = re.compile(rb'msg=listening address=\S*:(\d+)')


class Journal:
    """What happened: events for a violation's report, and counts."""

    def __init__(self):
        self._events = collections.deque(maxlen=60)
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self.counts = collections.Counter()
        self.violations = []

    def seconds(self):
        return time.monotonic() - self._start

    def note(self, text):
        with self._lock:
            self._events.append('%9.3f %s' % (self.seconds(), text))

    def count(self, name, number=1):
        with self._lock:
            self.counts[name] += number

    def violation(self, text):
        with self._lock:
            self.violations.append('%9.3f %s' % (self.seconds(), text))

    def last_events(self):
        with self._lock:
            return list(self._events)


class Collector:
    """One run of tine-collector."""

    def __init__(self, program, directory, log_path, environment):
        self._log_path = log_path
        self._port = None
        self._connection = None
        self.started = time.monotonic()
        self.was_reader = False  # somebody else folded when it was asked
        self.is_folding = False
        self.folded_files = 0
        with open(log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [program, '--dir=' + directory,
                 '--web.listen-address=127.0.0.1:0'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment)

    def is_listening(self):
        if self._port is None:
            with open(self._log_path, 'rb') as log:
                match = LISTENING.search(log.read())
            self._port = int(match.group(1)) if match else None
        return self._port is not None

    def get(self):
        """Status and text of /metrics; OSError, HTTPException: no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                '127.0.0.1', self._port, timeout=DEADLINE_S)
        try:
            self._connection.request('GET', '/metrics')
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise

    def log_tail(self):
        with open(self._log_path, 'rb') as log:
            return log.read()[-2000:].decode(errors='replace')

    def resident_bytes(self):
        """None when it is gone."""
        try:
            with open('/proc/%d/statm' % self.process.pid) as file:
                return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
        except (OSError, IndexError):
            return None

    def end(self, signal_number):
        """Sends the signal and waits; -> the exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(DEADLINE_S)


class Source(threading.Thread):
    """A thread that asks for answers until it is stopped."""

    def __init__(self, name, oracle, journal):
        super().__init__(name=name, daemon=True)
        self._oracle = oracle
        self._journal = journal
        self._is_stopped = threading.Event()

    def stop(self):
        self._is_stopped.set()
        self.join()

    def run(self):
        try:
            self.ask()
        except Exception as error:
            # A source that is silent must not pass for one that is right.
            self._journal.violation('%s broke: %r' % (self.name, error))
            raise


class Scraper(Source):
    """Scrapes the collector that is in its place, whichever that is now."""

    collector = None

    def ask(self):
        due = time.monotonic()
        while not self._is_stopped.is_set():
            collector = self.collector
            if collector is None or not collector.is_listening():
                time.sleep(0.002)
                continue
            if not self.scrape(collector):
                time.sleep(0.002)
                continue
            now = time.monotonic()
            due = max(due + PERIOD_S, now)
            time.sleep(due - now)

    def scrape(self, collector):
        """Was there an answer?"""
        begun = self._oracle.begin()
        try:
            status, text = collector.get()
        except (OSError, http.client.HTTPException):
            self._journal.count('no answer')
            return False
        if status == 503:
            self._journal.count('not ready (503)')
            return False
        if status != 200:
            self._journal.violation('%s answers %d: %s' % (
                self.name, status, text))
            return True
        try:
            served = self._oracle.judge(begun, text)
        except truth.Violation as violation:
            self._journal.violation('%s (pid %d): %s' % (
                self.name, collector.process.pid, violation))
            return True
        self._journal.count('scrapes')
        self._follow(collector, served)
        return True

    def _follow(self, collector, served):
        """What the answer tells about its collector."""
        is_folding = served['tine_folding'] == 1
        if is_folding and not collector.is_folding and collector.was_reader:
            self._journal.note('%s takes over' % self.name)
            self._journal.count('reader took over')
        collector.is_folding = is_folding
        if not is_folding:
            collector.was_reader = True
            self._journal.count('scrapes of a reader')
        folded = int(served['tine_folded_files_total'])
        self._journal.count('files folded by a collector',
                            folded - collector.folded_files)
        collector.folded_files = folded


class OnceLoop(Source):
    """Runs `tine-collector --once` again and again."""

    PAUSE_S = 0.1

    def __init__(self, program, directory, environment, oracle, journal):
        super().__init__('--once', oracle, journal)
        self._command = [program, '--dir=' + directory, '--once']
        self._environment = environment

    def ask(self):
        while not self._is_stopped.wait(self.PAUSE_S):
            begun = self._oracle.begin()
            try:
                self._oracle.judge(begun, self.output())
                self._journal.count('runs of --once')
            except truth.Violation as violation:
                self._journal.violation('--once: %s' % violation)

    def output(self):
        result = subprocess.run(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, check=False,
            timeout=DEADLINE_S, env=self._environment)
        if result.returncode != 0:
            raise truth.Violation('exits with %d: %s' % (
                result.returncode, result.stderr))
        return result.stdout
