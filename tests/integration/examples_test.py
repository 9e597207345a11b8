"""The examples, run against a live collector: it serves what they counted."""

import os
import shutil
import signal
import socket
import subprocess
import unittest

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

LIBRARY = programs.path('writer/c/libtine.so.0')
MOST_LINES = 60


def example(name):
    return programs.path('examples/' + name)


class ExamplesTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        self.collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)

    def run_example(self, *command, code=0, **environment):
        result = programs.run(
            *command, timeout=120, cwd=self.directory,
            env={**os.environ, 'TINE_DIR': self.directory, **environment})
        self.assertEqual(result.returncode, code, result.stderr)

    def assert_served(self, *lines):
        served = self.collector.scrape().splitlines()
        for line in lines:
            self.assertIn(line, served)

    def test_c(self):
        self.run_example(example('c/c'))
        self.assert_served('jobs_total 30', 'job_seconds_count 30',
                           '# HELP jobs_total Jobs done.')

    def test_cpp(self):
        words = os.path.join(self.directory, 'words')
        with open(words, 'w') as file:
            file.write('one two three fourteen\n')
        self.run_example(example('cpp/cpp'), words, words)
        self.run_example(example('cpp/cpp'), words, words + '/missing', code=1)
        self.assert_served('words_total{length="short"} 6',
                           'words_total{length="long"} 6', 'files_total 3',
                           'file_seconds_count 4')
        self.assertIn('\nlast_run_timestamp_seconds ', self.collector.scrape())

    def test_server(self):
        server = programs.start(
            self, example('server/server'), stdout=subprocess.PIPE,
            env={**os.environ, 'TINE_DIR': self.directory})
        port = int(server.stdout.readline().split()[1])
        clients = [socket.create_connection(('127.0.0.1', port),
                                            programs.TIMEOUT_S)
                   for _ in range(3)]
        for client in clients:
            with client.makefile('rw') as lines:
                for _ in range(4):
                    lines.write('hello\n')
                    lines.flush()
                    self.assertEqual(lines.readline(), '6\n')
        # An answer is counted after it was sent.
        programs.wait_until(
            lambda: 'requests_total{result="ok"} 12\n' in self.collector.scrape(),
            'the requests are counted')
        self.assert_served('connections 3')
        for client in clients:
            client.close()
        programs.wait_until(
            lambda: '\nconnections 0\n' in '\n' + self.collector.scrape(),
            'the connections are closed')
        server.send_signal(signal.SIGKILL)
        server.wait(programs.TIMEOUT_S)
        self.assert_served('requests_total{result="ok"} 12')

    def test_cron(self):
        job = example('cron/backup.sh')
        emit = {'TINE_EMIT': programs.path('tools/tine-emit')}
        original = os.path.join(self.directory, 'from')
        with open(original, 'w') as file:
            file.write('precious')
        for _ in range(2):
            self.run_example(job, original, original + '.copy', **emit)
        self.run_example(job, original + '/missing', original + '.copy',
                         code=1, **emit)
        self.assert_served(
            'backup_runs_total{job_name="backup",result="ok"} 2',
            'backup_runs_total{job_name="backup",result="failed"} 1',
            'backup_seconds_count{job_name="backup"} 3')
        # Without its metrics it works all the same.
        self.run_example(job, original, original + '.copy', TINE_EMIT='/missing')

    def test_python(self):
        self.need_plain_library()
        self.run_example('/usr/bin/python3', example('python/count.py'),
                         TINE_LIBRARY=LIBRARY)
        self.assert_served('jobs_total{queue="mail"} 30',
                           'job_seconds_bucket{le="0.05"} 18',
                           'job_seconds_count 30')

    def test_ruby(self):
        self.need_plain_library()
        ruby = shutil.which('ruby', path='/usr/bin:/usr/local/bin')
        if ruby is None:
            self.skipTest('no ruby; tools/install_packages test')
        self.run_example(ruby, example('ruby/count.rb'), TINE_LIBRARY=LIBRARY)
        self.assert_served('jobs_total{queue="mail"} 30',
                           'job_seconds_bucket{le="0.05"} 18',
                           'job_seconds_count 30')

    def need_plain_library(self):
        if programs.is_sanitized(LIBRARY):
            self.skipTest('an interpreter does not load a sanitized library')


class LengthTest(unittest.TestCase):
    def test_each_is_short(self):
        for name in ('c/main.c', 'cpp/main.cc', 'server/main.cc',
                     'cron/backup.sh', 'python/count.py', 'ruby/count.rb'):
            with self.subTest(name), open(example(name)) as file:
                self.assertLess(len(file.readlines()), MOST_LINES)


if __name__ == '__main__':
    outcome_lines.main()
