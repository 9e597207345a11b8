"""tine-demo as a program: flags, answers, ledger, how it starts and ends."""

import os
import re
import signal
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from tests.compatibility import read_format
from tests.testing import outcome_lines, programs

DEMO = programs.path('tools/tine-demo')


class DemoProgramTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def start(self, *flags):
        demo = programs.start(
            self, DEMO, '--dir=' + self.directory,
            '--listen-address=127.0.0.1:0', *flags, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        line = demo.stdout.readline()
        self.url = 'http://' + re.match(r'listening on (\S+:\d+)$', line).group(1)
        return demo

    def stop(self, demo):
        demo.send_signal(signal.SIGTERM)
        text, _ = demo.communicate(timeout=programs.TIMEOUT_S)
        self.assertEqual(demo.returncode, 0)
        return text

    def all_workers(self, demo, count):
        """Once they are started: the demo listens a moment before."""
        programs.wait_until(lambda: len(self.workers(demo)) == count,
                            '%d workers' % count)
        return self.workers(demo)

    def workers(self, demo):
        with open('/proc/%d/task/%d/children' % (demo.pid, demo.pid)) as file:
            return [int(word) for word in file.read().split()]

    def request(self, path, method='GET', data=None):
        """Code and body."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=data)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def lines(self, kind):
        """(series, value) of this kind in all files that have their name."""
        for name in os.listdir(self.directory):
            if not name.endswith('.tine'):
                continue  # a worker is just making it
            path = os.path.join(self.directory, name)
            for line in read_format.read_file(path):
                if line.startswith(kind + ' '):
                    series, value = line[len(kind) + 1:].rsplit(' ', 1)
                    yield series, int(value)

    def counted(self):
        """The sums of the counters in all files."""
        sums = {}
        for series, value in self.lines('counter'):
            sums[series] = sums.get(series, 0) + value
        return sums

    def test_requests_are_counted_by_method_path_and_code(self):
        demo = self.start('--workers=2')
        self.assertEqual(self.request('/hello'), (200, 'Hello.\n'))
        self.assertEqual(self.request('/slow?x=1')[0], 200)
        self.assertEqual(self.request('/nothing')[0], 404)
        self.assertEqual(self.request('/', 'HEAD'), (200, ''))
        self.assertEqual(self.request('/', 'POST', b'x' * 100000)[0], 405)
        self.assertEqual(self.request('/hello', 'BREW')[0], 405)
        ledger = self.request('/ledger')[1]
        self.assertEqual(ledger.splitlines()[:2], ['done 6', 'attempted 6'])
        self.assertIn('done{code="404",method="GET",path="other"} 1\n', ledger)
        expected = {'GET,/hello,200', 'GET,/slow,200', 'GET,other,404',
                    'HEAD,/,200', 'POST,/,405', 'other,/hello,405'}
        self.assertEqual(
            {','.join(re.findall("'([^']*)'", series))
             for series, value in self.counted().items()
             if series.startswith('http_requests_total') and value == 1},
            expected)
        self.assertEqual(self.stop(demo), ledger)

    def test_ledger_is_printed_on_sigusr1(self):
        demo = self.start()
        self.request('/')
        demo.send_signal(signal.SIGUSR1)
        self.assertEqual(demo.stdout.readline(), 'done 1\n')
        self.stop(demo)

    def test_worker_is_replaced_after_its_number_of_requests(self):
        demo = self.start('--workers=1', '--recycle-after=3')
        first = self.all_workers(demo, 1)
        for _ in range(3):
            self.request('/')
        programs.wait_until(
            lambda: self.workers(demo) not in ([], first), 'a new worker')
        self.request('/')
        self.stop(demo)
        counted = self.counted()
        self.assertEqual(counted['demo_workers_started_total{}'], 2)
        # The second was asked to stop.
        self.assertEqual(
            counted["demo_worker_exits_total{reason='recycled'}"], 2)

    def test_killed_worker_is_replaced_and_counted(self):
        demo = self.start('--workers=2')
        before = set(self.all_workers(demo, 2))
        os.kill(min(before), signal.SIGKILL)
        programs.wait_until(
            lambda: len(set(self.workers(demo)) - before) == 1, 'a new worker')
        self.assertEqual(
            self.counted()["demo_worker_exits_total{reason='signal'}"], 1)
        self.stop(demo)

    def test_workers_end_when_the_parent_is_killed(self):
        demo = self.start('--workers=3')
        workers = self.all_workers(demo, 3)
        demo.kill()
        demo.wait()
        programs.wait_until(
            lambda: not any(os.path.exists('/proc/%d' % pid)
                            for pid in workers), 'the workers are gone')

    def test_open_requests_are_finished_at_the_end(self):
        demo = self.start('--workers=1')
        host, port = self.url[7:].rsplit(':', 1)
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
            programs.wait_until(self.request_has_come, 'the request')
            text = self.stop(demo)
            answer = client.recv(65536)
        self.assertIn(b'200 OK', answer)
        self.assertEqual(text.splitlines()[0], 'done 1')

    def request_has_come(self):
        # Answered already will do as well.
        return any(value for series, value in self.lines('updown')) or any(
            value for series, value in self.lines('counter')
            if series.startswith('http_requests_total'))

    def test_address_in_use_is_a_clear_error(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            address = '127.0.0.1:%d' % taken.getsockname()[1]
            result = programs.run(DEMO, '--dir=' + self.directory,
                                  '--listen-address=' + address)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr,
            'tine-demo: cannot listen on %s: Address already in use\n' % address)

    def test_serves_without_a_metrics_directory(self):
        self.directory += '/missing'
        demo = self.start('--workers=1')
        self.assertEqual(self.request('/')[0], 200)
        self.assertEqual(self.stop(demo).splitlines()[0], 'done 1')

    def test_usage_errors_end_with_2(self):
        for flag in ('--unknown', '--workers=0', '--workers=x',
                     '--recycle-after=-1'):
            self.assertEqual(programs.run(DEMO, flag).returncode, 2, flag)
        result = programs.run(DEMO, '--help')
        self.assertEqual(result.returncode, 0)
        self.assertIn('--recycle-after', result.stdout)


if __name__ == '__main__':
    outcome_lines.main()
