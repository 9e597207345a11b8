"""What a C program counts is what a collector serves: by libtine.so, by libtine.a."""

import os
import subprocess
import unittest

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

HOSTS = {kind: programs.path('tests/writer/c/c_host_' + kind)
         for kind in ('shared', 'static')}

TIMEOUT_S = 120

ENDED_WITH = '''\
b_bucket{le="0.005"} 0
b_bucket{le="0.01"} 0
b_bucket{le="0.025"} 0
b_bucket{le="0.05"} 0
b_bucket{le="0.1"} 1
b_bucket{le="0.25"} 1
b_bucket{le="0.5"} 1
b_bucket{le="1"} 1
b_bucket{le="2.5"} 1
b_bucket{le="5"} 1
b_bucket{le="10"} 1
b_bucket{le="+Inf"} 1
b_sum 0.07
b_count 1
c_total 42
capped_total{l="__overflow__"} 1
capped_total{l="a"} 1
capped_total{l="b"} 1
d_total 0.5
g_all{pid="PID"} 1
g_max 0.75
g_min 3
g_most_recent 4
g_sum 2
h_seconds_bucket{le="1"} 0
h_seconds_bucket{le="2.5"} 1
h_seconds_bucket{le="5"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_sum 102.5
h_seconds_count 2
newer_total 0
peers{code="200",method="GET"} 1
requests_total{code="200",method="GET"} 3
requests_total{code="201",method="PUT"} 0
s_sum 3
s_count 1
stays 1
u -7
worker_state{worker_state="busy"} 1
worker_state{worker_state="draining"} 1
worker_state{worker_state="idle"} 0
'''.splitlines()


class CApiTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def environment(self, **more):
        return {'TINE_DIR': self.directory, **more}

    def run_host(self, kind, what, **environment):
        result = programs.run(HOSTS[kind], what, timeout=TIMEOUT_S,
                              env=self.environment(**environment))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def scrape(self):
        """Sample lines as `--once` prints them."""
        result = collector_process.run('--once', '--dir=' + self.directory)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [line for line in result.stdout.splitlines()
                if not line.startswith(('#', 'tine_'))]

    def in_each_kind(self, test):
        for kind in sorted(HOSTS):
            with self.subTest(kind):
                self.setUp()
                test(kind)

    def test_every_function_counts_as_it_says(self):
        def check(kind):
            self.run_host(kind, 'everything')
            pid = os.listdir(self.directory)[0].split('.')[0]
            expected = [line.replace('PID', pid) for line in ENDED_WITH]
            lines = self.scrape()
            since = [line for line in lines if line.startswith('since_')]
            self.assertEqual(len(since), 1)
            lines.remove(since[0])
            self.assertEqual(lines, expected)
        self.in_each_kind(check)

    def test_live_modes_are_served_while_the_process_lives(self):
        host = programs.start(
            self, HOSTS['shared'], 'everything', stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=self.environment(C_HOST_STAYS='1'))
        self.assertEqual(host.stdout.readline(), 'ready\n')
        live = [line for line in self.scrape()
                if line.startswith(('live_', 'build_info'))]
        self.assertEqual(live, [
            'build_info{version="2"} 1', 'live_all{pid="%d"} 5' % host.pid, 'live_max 8', 'live_min 7',
            'live_most_recent 9', 'live_sum 6'])
        host.stdin.close()
        self.assertEqual(host.wait(programs.TIMEOUT_S), 0)
        self.assertNotRegex(''.join(self.scrape()), 'live_|build_info')

    def test_options_of_init_are_used(self):
        def check(kind):
            result = self.run_host(kind, 'init', TINE_DIR='/proc',
                                   C_HOST_DIR=self.directory)
            self.assertEqual(result.stderr, '')
            self.assertEqual(self.scrape(), ['g_all{app="c",pid="w7"} 1'])
        self.in_each_kind(check)

    def test_stores_keep_what_they_are_for(self):
        def check(kind):
            self.run_host(kind, 'in-memory')
            self.run_host(kind, 'none')
            self.assertEqual(os.listdir(self.directory), [])
            self.run_host(kind, 'written')
            lines = self.scrape()
            for line in ('c_total 3', 'h_count 1', 'g 1',
                         'worker_state{worker_state="busy"} 1',
                         'requests_total{code="200",method="GET"} 3'):
                self.assertIn(line, lines)
        self.in_each_kind(check)

    def test_children_count_in_files_of_their_own(self):
        def check(kind):
            self.run_host(kind, 'fork')
            self.assertEqual(len(os.listdir(self.directory)), 4)
            self.assertEqual(self.scrape(), ['c_total 31'])
        self.in_each_kind(check)

    def test_signal_handlers_count(self):
        self.run_host('shared', 'signals')
        self.assertEqual(self.scrape(), ['c_total 2000'])

    def test_what_was_counted_before_shutdown_stays(self):
        def check(kind):
            self.run_host(kind, 'shutdown')
            self.assertEqual(len(os.listdir(self.directory)), 1)
            self.assertEqual(self.scrape(), ['c_total 5'])
        self.in_each_kind(check)

    def test_disabled_is_no_error_and_makes_no_file(self):
        def check(kind):
            self.run_host(kind, 'disabled', TINE_DISABLE='1')
            self.assertEqual(os.listdir(self.directory), [])
        self.in_each_kind(check)

    def test_lack_of_memory_is_an_error(self):
        if programs.is_instrumented(HOSTS['shared']):
            self.skipTest('a sanitizer reserves address space of its own')

        def check(kind):
            self.run_host(kind, 'memory')
            self.assertEqual(self.scrape(), ['c_total 7'])
        self.in_each_kind(check)

    def test_missing_directory_is_no_error_of_a_count(self):
        result = programs.run(HOSTS['shared'], 'signals', timeout=TIMEOUT_S,
                              env={'TINE_DIR': self.directory + '/missing'})
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count('tine: '), 1)


if __name__ == '__main__':
    outcome_lines.main()
