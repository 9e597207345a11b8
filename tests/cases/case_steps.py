"""Cases as text, and the bench that they run on: real writers, a real collector.

A file of cases, *.cases:

    # A comment.
    case counters_add: ruby.C1 python.C1
    p1 counter c_total 1
    p2 counter c_total 2
    kill p1
    scrape
    | # TYPE c_total counter
    | c_total 3

The words behind the colon are ids of the tables in docs/SEMANTICS.md, flags for
the collector, `alone` (the case has a directory and a collector to itself, as
it has with flags) and `unfolded` (see below).
A step is a line; what it is to give stands behind "->" or below, behind "|".

    start P [NAME=VALUE ...]   a writer with that environment; any other step
                               that names P starts it without
    P COMMAND [-> ANSWER]      as case_writer.cc has them; without an answer it
                               is "ok". An answer "error: x" need only begin so
                               and have an x.
    fork P Q                   P forks, the child is Q
    kill P, exit P             SIGKILL, or a clean exit; waits for it
    stop P                     SIGSTOP
    scrape [without FAMILY]    over HTTP: the lines of the case's own families
    sum FAMILY -> VALUE        what a scrape's samples of the family add up to
    gone SAMPLE                waits until it is in no scrape
    fold                       waits until the case's dead are in the archive
    restart                    alone: the collector is killed, the next begins
    place KIND                 alone: a bad file appears: empty, zeros, garbage,
                               text, cut (half of a good one), or a stranger:
                               README, foo.db
    wipe                       alone: all metric files are removed
    own SAMPLE -> VALUE        alone: one of the collector's own
    accept TEXT -> STATUS TYPE of a scrape that asks for TEXT ("-": nothing)

$P is the pid of P, $repeat(x,3) is xxx, $char(9) a tab. Where a scrape is to show a pid, the
order of its lines is free. If anybody died, the last scrape of a
case is made again when the dead are folded, and must give the same: unless the
case is `unfolded`: then only this collector knows what it serves. A second
reader, that has just started and does not fold, must say the same in the end.
"""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time

from tests.integration import collector_process
from tests.testing import programs

WRITER = programs.path('tests/cases/case_writer')
DEADLINE_S = 120
CLOCK_REALTIME_COARSE = 5  # of Linux; what files are born by
BENCH_STEPS = ('start', 'fork', 'kill', 'exit', 'stop', 'scrape', 'fold',
               'restart', 'place', 'wipe', 'own', 'accept', 'sum', 'gone')
STRANGERS = ('README', 'foo.db')
FLAGS = ('alone', 'unfolded')


class Wrong(AssertionError):
    """A step gave another answer than the case says."""


class Owner(contextlib.ExitStack):
    """Stands in for a test case where things want one to clean up after."""

    addCleanup = contextlib.ExitStack.callback


class Step:
    def __init__(self, place, text):
        self.place = place
        text, _, answer = text.partition(' -> ')
        self.text = text.strip()
        self.answer = answer.strip()
        self.verb = self.text.split()[0]
        self.lines = []


class Case:
    def __init__(self, name, words):
        self.name = name
        self.flags = [word for word in words if word.startswith('--')]
        self.ids = [word for word in words
                    if word not in FLAGS and word not in self.flags]
        self.is_alone = 'alone' in words or bool(self.flags)
        self.is_unfolded = 'unfolded' in words
        self.steps = []


def parse(path):
    """The cases of a file; ValueError says what is wrong in which line."""
    cases = []
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip('\n')
            place = '%s:%d' % (os.path.basename(path), number)
            if not line.strip() or line.startswith('#'):
                continue
            if line.startswith('case '):
                name, colon, words = line[5:].partition(':')
                if not colon or not re.fullmatch(r'\w+', name):
                    raise ValueError(place + ': not "case NAME: ..."')
                cases.append(Case(name, words.split()))
            elif not cases:
                raise ValueError(place + ': no case has begun')
            elif line.startswith('|'):
                if not cases[-1].steps or cases[-1].steps[-1].verb != 'scrape':
                    raise ValueError(place + ': "|" goes below a scrape')
                cases[-1].steps[-1].lines.append(line[2:])
            else:
                cases[-1].steps.append(Step(place, line))
    for case in cases:
        if not any(step.lines or step.answer for step in case.steps):
            raise ValueError('%s: case %s expects nothing' % (path, case.name))
    return cases


class Writer:
    """One process, at the other end of a connection."""

    def __init__(self, connection):
        self.has_file = False
        self._connection = connection
        self._stream = connection.makefile('rw', encoding='utf-8',
                                           errors='surrogateescape')
        self.pid = int(self._stream.readline().split()[1])

    def ask(self, line):
        self.tell(line)
        answer = self._stream.readline()
        assert answer, 'the writer is gone after: ' + line[:200]
        return answer.rstrip('\n')

    def tell(self, line):
        self._stream.write(line + '\n')
        self._stream.flush()

    def close(self):
        self._stream.close()
        self._connection.close()

    def wait_for_death(self):
        """A child of a writer may stay a zombie, which holds no lock."""
        def is_dead():
            try:
                with open('/proc/%d/stat' % self.pid, encoding='ascii') as file:
                    return file.read().rpartition(')')[2].split()[0] in 'ZX'
            except (FileNotFoundError, ProcessLookupError):
                return True
        programs.wait_until(is_dead, 'death of %d' % self.pid, DEADLINE_S)


class Bench:
    """A directory with its collector, for as many cases at once as like."""

    def __init__(self, owner, flags=(), program=collector_process.COLLECTOR,
                 environment=None):
        self._owner = owner  # has addCleanup
        self._flags = flags
        self._program = program
        self._environment = dict(os.environ, **(environment or {}))
        self.directory = programs.metrics_directory(owner)
        # Sockets' names are short.
        sockets = tempfile.TemporaryDirectory(prefix='tine-', dir='/tmp')
        owner.addCleanup(sockets.cleanup)
        self._socket_path = os.path.join(sockets.name, 's')
        self._listener = socket.socket(socket.AF_UNIX)
        owner.addCleanup(self._listener.close)
        self._listener.bind(self._socket_path)
        self._listener.listen(64)
        self._listener.settimeout(DEADLINE_S)
        self._starting = threading.Lock()  # who says hello is who was started
        self._case_count = 0
        self.start_collector()

    def start_collector(self):
        self.collector = collector_process.CollectorProcess(
            self._owner, '--dir=' + self.directory, *self._flags,
            program=self._program, deadline_s=DEADLINE_S,
            env=self._environment)
        self.collector.scrape()

    def restart_collector(self):
        self.collector.stop(signal.SIGKILL)
        self.start_collector()

    def read_once(self):
        result = programs.run(self._program, '--once',
                              '--dir=' + self.directory,
                              env=self._environment, timeout=DEADLINE_S)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def next_prefix(self):
        with self._starting:
            self._case_count += 1
            return 'k%d_' % self._case_count

    def _accept(self):
        connection, _ = self._listener.accept()
        connection.settimeout(DEADLINE_S)
        return Writer(connection)

    def start_writer(self, prefix, variables):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith('TINE_')}
        environment.update(variables, TINE_DIR=self.directory)
        with self._starting:
            process = subprocess.Popen([WRITER, self._socket_path, prefix],
                                       env=environment,
                                       stderr=subprocess.DEVNULL)
            return process, self._accept()

    def fork_writer(self, parent):
        with self._starting:
            assert parent.ask('fork') == 'ok'
            return self._accept()

    def wait_for_fold(self, pids):
        """Until no file of these processes is left."""
        programs.wait_until(
            lambda: pids.isdisjoint(name.partition('.')[0] for name
                                    in os.listdir(self.directory)),
            'the fold', DEADLINE_S)


def _wait_for_next_tick():
    """What is made from now on is younger, by the file system's clock."""
    now = time.clock_gettime(CLOCK_REALTIME_COARSE)
    while time.clock_gettime(CLOCK_REALTIME_COARSE) == now:
        time.sleep(0.001)


class CaseRun:
    """One run of a case on a bench."""

    def __init__(self, bench, case):
        self._bench = bench
        self._case = case
        self._prefix = bench.next_prefix()
        self._writers = {}
        self._processes = {}
        self._pids = {}  # of the dead too
        self._dead = set()

    def run(self):
        """Raises Wrong at the first step that goes another way."""
        try:
            last = None
            for step in self._case.steps:
                self._do(step)
                last = step if step.verb == 'scrape' else last
            if not last or self._case.is_unfolded:
                return
            if self._dead:
                self._bench.wait_for_fold(self._dead)
                self._scrape(last, ' (folded)')
            if not self._case.flags:
                self._read_once(last)
        finally:
            for name in list(self._writers):
                self._kill(name)

    def _writer(self, name, variables=()):
        if name not in self._writers:
            process, writer = self._bench.start_writer(self._prefix,
                                                       dict(variables))
            self._processes[name] = process
            self._add(name, writer)
        return self._writers[name]

    def _add(self, name, writer):
        self._writers[name] = writer
        self._pids[name] = writer.pid

    def _kill(self, name, is_clean=False):
        writer = self._writers[name]
        if is_clean:
            writer.tell('exit')
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(writer.pid, signal.SIGKILL)
        process = self._processes.pop(name, None)
        if process is not None:
            process.wait(DEADLINE_S)
        else:
            writer.wait_for_death()
        writer.close()
        del self._writers[name]
        self._dead.add(str(writer.pid))

    def _fill_in(self, text):
        for name, pid in sorted(self._pids.items(), reverse=True):
            text = text.replace('$' + name, str(pid))
        text = re.sub(r'\$char\((\w+)\)',
                      lambda match: chr(int(match[1], 16)), text)
        return re.sub(r'\$repeat\((.),(\d+)\)',
                      lambda match: match[1] * int(match[2]), text)

    def _do(self, step):
        words = step.text.split()
        if step.verb not in BENCH_STEPS:
            name, _, command = step.text.partition(' ')
            writer = self._writer(name)
            if not writer.has_file:  # perhaps this step makes it
                _wait_for_next_tick()
            self._compare(step, writer.ask(self._fill_in(command)))
            writer.has_file = True
        elif step.verb == 'start':
            self._writer(words[1], (pair.split('=', 1)
                                    for pair in shlex.split(step.text)[2:]))
        elif step.verb == 'fork':
            self._add(words[2],
                      self._bench.fork_writer(self._writers[words[1]]))
        elif step.verb in ('kill', 'exit'):
            self._kill(words[1], step.verb == 'exit')
        elif step.verb == 'stop':
            os.kill(self._writers[words[1]].pid, signal.SIGSTOP)
        elif step.verb == 'scrape':
            self._scrape(step)
        elif step.verb == 'fold':
            self._bench.wait_for_fold(self._dead)
        elif step.verb == 'restart':
            self._bench.restart_collector()
        elif step.verb == 'place':
            self._place(words[1])
        elif step.verb == 'wipe':
            for name in os.listdir(self._bench.directory):
                if name.endswith('.tine'):
                    os.remove(os.path.join(self._bench.directory, name))
        elif step.verb == 'own':
            self._compare(step, self._own(step.text[4:]))
        elif step.verb == 'sum':
            self._compare(step, '%g' % sum(self._samples(words[1])))
        elif step.verb == 'gone':
            programs.wait_until(lambda: not self._samples(words[1]),
                                'the end of ' + words[1], DEADLINE_S)
        elif step.verb == 'accept':
            accepted = step.text.partition(' ')[2]
            status, headers, _ = self._bench.collector.request(
                '/metrics',
                headers={} if accepted == '-' else {'Accept': accepted})
            media_type = headers['Content-Type'].partition(';')[0]
            self._compare(step, '%d %s' % (status, media_type))

    def _compare(self, step, answer):
        expected = self._fill_in(step.answer or 'ok')
        if expected.startswith('error: '):
            is_right = answer.startswith('error: ') and expected[7:] in answer
        else:
            is_right = answer == expected
        if not is_right:
            raise Wrong('%s: %s\ngives %s\nnot   %s' % (
                step.place, step.text[:200], answer[:1000], expected[:1000]))

    def _own(self, sample):
        for line in self._bench.collector.scrape().splitlines():
            if line.startswith(sample + ' '):
                return line[len(sample) + 1:]
        return 'absent'

    def _lines(self):
        return self._own_lines(self._bench.collector.scrape())

    def _own_lines(self, text):
        return [line.replace(self._prefix, '') for line in text.split('\n')
                if self._prefix in line]

    def _samples(self, name):
        """Values of the samples that have the name, or also the labels."""
        return [float(line.rpartition(' ')[2]) for line in self._lines()
                if line.startswith((name + ' ', name + '{'))]

    def _scrape(self, step, when=''):
        self._compare_lines(step, when, self._lines(), step.lines)

    def _read_once(self, step):
        """Without the collector's own metrics."""
        lines = self._own_lines(self._bench.read_once())
        self._compare_lines(step, ' (--once)', lines, [
            line for line in step.lines if not line.startswith('tine_')])

    def _compare_lines(self, step, when, lines, expected_lines):
        without = re.compile(r'(# \w+ )?%s\b' % step.text.partition(' ')[2][8:])
        lines = [line for line in lines
                 if ' ' not in step.text or not without.match(line)]
        expected = [self._fill_in(line) for line in expected_lines]
        if expected != expected_lines:  # pids come in any order
            lines.sort()
            expected.sort()
        if lines != expected:
            raise Wrong('%s: scrape%s gives\n%s\nnot\n%s' % (
                step.place, when, _shortened(lines), _shortened(expected)))

    def _place(self, kind):
        directory = self._bench.directory
        names = sorted(os.listdir(directory))
        content = {'empty': b'', 'zeros': bytes(65536),
                   'garbage': bytes(range(1, 256)) * 300}.get(
                       kind, b'no metric file\r\n' * 500)
        if kind == 'cut':
            good = next(name for name in names if name.endswith('.tine'))
            with open(os.path.join(directory, good), 'rb') as file:
                content = file.read(4000)
        name = kind if kind in STRANGERS else '7.%032x.tine' % len(names)
        temp = os.path.join(directory, 'being-made')
        with open(temp, 'wb') as file:
            file.write(content)
        os.rename(temp, os.path.join(directory, name))


def _shortened(lines):
    return '\n'.join('  ' + line[:200] for line in lines)
