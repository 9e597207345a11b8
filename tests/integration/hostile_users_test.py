"""Real writers of one user, a real collector of another, and a third who attacks.

All attacks at once, for many scrapes: the victims' numbers are exact in each, the
text is one that the real parsers take, and the collector stays as large as it was.
"""

import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.integration import collector_process
from tests.testdata import make_golden
from tests.testing import outcome_lines
from tests.testing import programs

ATTACKER, VICTIM, COLLECTOR = 65531, 65532, 65533
SCRAPES = 12 * int(os.environ.get('TINE_TEST_EFFORT', 1))
# Between two rounds of an attack: others use this machine too.
PAUSE_S = 0.1


def as_user(uid):
    return {'user': uid, 'group': uid, 'extra_groups': []}


class Names:
    """Names that metric files could have, a thousand of them again and again."""

    def __init__(self, directory):
        self._directory = directory
        self._numbers = itertools.cycle(range(1000))

    def path(self):
        return os.path.join(self._directory,
                            '1.%032x.tine' % (next(self._numbers) + 2**100))


def flood_of_names(directory):
    for number in itertools.count():
        paths = [os.path.join(directory, '2.%032x.tine' % i)
                 for i in range(5000)]
        paths += [os.path.join(directory, '%04d' % i + 'x' * 251)
                  for i in range(100)]
        time.sleep(PAUSE_S)
        for path in paths:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        if number % 2:
            for path in paths:
                os.unlink(path)


def special_files(directory):
    names = Names(directory)
    while True:
        time.sleep(PAUSE_S)
        os.mkfifo(names.path())
        os.mkdir(names.path())
        os.symlink('/etc/passwd', names.path())
        os.symlink('nothing', names.path())
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(names.path())
        with open(names.path(), 'wb') as sparse:
            try:
                sparse.truncate(2**62)
            except OSError:
                pass  # the process may not make it so large
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith('1.') and os.lstat(path).st_uid == ATTACKER:
                (os.rmdir if os.path.isdir(path) and not os.path.islink(path)
                 else os.unlink)(path)


def odd_texts(directory):
    """Sound files with what could break a line, and files that change."""
    values = ['"} 1\nvictim_total 7\n', '\\', '\n', '{}', 'ü', '"', '\\n']
    names = ['odd_total', 'victim_totals', 'tine_series', 'process_open_fds']
    for number in itertools.count():
        time.sleep(PAUSE_S / 10)
        help_text = random.choice(values)
        data = make_golden.metric_file(number % 256, [
            make_golden.cells(0, 0, {0: random.getrandbits(64)}),
            make_golden.family(random.choice(names), make_golden.COUNTER,
                               make_golden.U64, labels=('label',),
                               help_text=help_text),
            make_golden.series(make_golden.FIRST_FAMILY, 0, 1,
                               (random.choice(values),))])
        path = collector_process.place(directory, data, pid=number % 8)
        with open(path, 'r+b') as file:
            for _ in range(10):
                file.seek(random.randrange(len(data)))
                file.write(random.randbytes(8))
                file.flush()
            file.truncate(random.randrange(len(data)))
        if number % 512 == 511:
            for name in os.listdir(directory):
                if re.match(r'[0-7]\.a0a1', name):
                    os.unlink(os.path.join(directory, name))


class HostileUsersTest(unittest.TestCase):
    def setUp(self):
        if os.getuid() != 0:
            self.skipTest('only root can be several users')
        self.directory = programs.metrics_directory(self)
        os.chown(self.directory, COLLECTOR, COLLECTOR)
        os.chmod(self.directory, 0o3777)
        # Where every user may run them.
        self.programs = tempfile.mkdtemp(prefix='test-tine-', dir='/dev/shm')
        self.addCleanup(shutil.rmtree, self.programs)
        os.chmod(self.programs, 0o755)
        self.collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory, '--limit.files-per-uid=3000',
            program=shutil.copy(collector_process.COLLECTOR, self.programs),
            **as_user(COLLECTOR))
        emit = shutil.copy(programs.path('tools/tine-emit'), self.programs)
        self.victims = [
            programs.start(self, emit, '--dir=' + self.directory, '--stdin',
                           '--ack', stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, bufsize=1,
                           **as_user(VICTIM)) for _ in range(3)]
        self.ledger = [0] * len(self.victims)

    def attack(self, what):
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setresgid(ATTACKER, ATTACKER, ATTACKER)
                os.setresuid(ATTACKER, ATTACKER, ATTACKER)
                os.umask(0)
                while True:
                    try:
                        what(self.directory)
                    except OSError:
                        pass  # another attacker was there first
            finally:
                os._exit(1)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)

    def count(self):
        for i, victim in enumerate(self.victims):
            added = random.randrange(1, 1000)
            victim.stdin.write('counter victim_total worker=%d %d\n' %
                               (i, added))
            victim.stdin.flush()
            self.assertEqual(victim.stdout.readline(), 'ok\n')
            self.ledger[i] += added

    def check_victims(self, body):
        served = re.findall(r'^victim_total\{worker="(\d)"\} (\d+)$', body,
                            re.MULTILINE)
        self.assertEqual(served, [(str(i), str(number))
                                  for i, number in enumerate(self.ledger)])

    def check_parsers(self, body):
        if shutil.which('promtool'):
            result = programs.run('promtool', 'check', 'metrics', input=body)
            # 3: names and helps that it does not like.
            self.assertIn(result.returncode, (0, 3), result.stderr)
        if os.path.isdir(programs.CLIENT_PYTHON):
            result = programs.parse_with_client_python(body)
            self.assertEqual(result.returncode, 0, result.stderr)

    def size(self):
        with open('/proc/%d/status' % self.collector.pid) as status:
            fields = dict(line.split(':', 1) for line in status)
        return (int(fields['VmRSS'].split()[0]), int(fields['Threads']),
                len(os.listdir('/proc/%d/fd' % self.collector.pid)))

    def test_victims_are_exact_and_the_collector_steady(self):
        self.attack(special_files)
        self.attack(odd_texts)
        for reason in ('not_regular', 'symbolic_link', 'short_header'):
            programs.wait_until(
                lambda: re.search(
                    r'tine_damage_total\{reason="%s"\} [1-9]' % reason,
                    self.collector.scrape()), reason)
        # From now on the attacker has no place left for anything.
        self.attack(flood_of_names)
        sizes = []
        for number in range(SCRAPES):
            self.count()
            status, _, body = self.collector.request('/metrics')
            self.assertEqual(status, 200)
            self.check_victims(body)
            if number % 8 == 7:
                self.check_parsers(body)
            sizes.append(self.size())
        body = self.collector.scrape()
        self.assertRegex(
            body, r'tine_open_failures_total\{reason="uid_file_limit"\} [1-9]')
        rss, threads, fds = zip(*sizes)
        # A sanitizer keeps what was freed.
        if not programs.is_sanitized(collector_process.COLLECTOR):
            self.assertLess(max(rss) - rss[SCRAPES // 4], 16 * 1024, rss)
        self.assertEqual(len(set(threads)), 1, threads)
        # Those of the victims, of the attacker's sound files and of requests.
        self.assertLess(max(fds), 1500, fds)
        self.assertLess(self.collector.log().count('\n'), 400)


if __name__ == '__main__':
    outcome_lines.main()
