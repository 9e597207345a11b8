#!/usr/bin/python3
"""Makes the golden metric files, from FORMAT.md and nothing else.

    make_golden.py DIRECTORY    writes the files there

Each file is small and complete: its size is its `used`. expected.txt says, by
hand, what is in them: lines as read_format.py prints them.
"""

import os
import struct
import sys
import zlib

MAGIC = b'TINE\r\n\x1a\n'
FAMILY, SERIES, REMOVED, CELLS = 1, 2, 3, 0x8001
COUNTER, GAUGE, HISTOGRAM, SUMMARY, UP_DOWN_COUNTER = 1, 2, 3, 4, 5
STATE_SET, INFO = 6, 7
U64, F64, I64 = 1, 2, 3
ALL, SUM, LIVE_SUM, MAX, LIVE_MAX, MOST_RECENT = 1, 3, 4, 7, 8, 9
UNSET_GAUGE = 0x7FF454494E450000
# 2025-06-01T12:00:00Z; the series come one second later.
CREATED_WALL_NS = 1748779200 * 10**9
SERIES_WALL_NS = CREATED_WALL_NS + 10**9


def text(value):
    """A string behind its u16 length."""
    data = value.encode()
    return struct.pack('<H', len(data)) + data


def f64(value):
    """The bits of a double as a cell."""
    return struct.unpack('<Q', struct.pack('<d', value))[0]


def gauge(value):
    return f64(value) ^ UNSET_GAUGE


def padded(data):
    return data + b'\0' * (-len(data) % 64)


def sealed(record, covered=None):
    """Puts the checksum of the first `covered` bytes (all) at offset 8."""
    crc = zlib.crc32(record[:covered])
    return record[:8] + struct.pack('<I', crc) + record[12:]


def header(uuid, used, labels=(), executable='golden', worker='', minor=0,
           compatible_flags=0, state=2, dropped=(0, 0, 0)):
    strings = text(executable) + text(worker) + b''.join(
        text(name) + text(value) for name, value in labels)
    static = struct.pack(
        '<8sIHHIIII16s16sQQIIQQQQIHH', MAGIC, 0x01020304, 1, minor, 4096,
        compatible_flags, 0, 1, uuid, bytes(range(0xb0, 0xc0)), 4026531836,
        4026531834, 1234, 1000, 777, 5 * 10**9, CREATED_WALL_NS, 16777216,
        len(strings), len(labels), 0)
    assert len(static) == 128
    static = (static + strings).ljust(3964, b'\0')
    dynamic = struct.pack('<QIIQQQ', used, state, 0, *dropped)
    return (static + struct.pack('<I', zlib.crc32(static)) +
            dynamic.ljust(128, b'\0'))


def family(name, metric_type, value_kind, mode=0, labels=(), bounds=(),
           unit='', help_text='', states=()):
    """`bounds` of a gauge or state set: its time to live, if it has one."""
    names = b''.join(text(label) for label in labels)
    record = struct.pack('<BBBBHHIHHI', metric_type, value_kind, mode,
                         len(states), len(name), len(unit),
                         len(help_text.encode()), len(labels), len(bounds),
                         len(names))
    record += struct.pack('<%dd' % len(bounds), *bounds)
    record += name.encode() + unit.encode() + help_text.encode() + names
    record += b''.join(text(state) for state in states)
    size = 12 + len(record) + -(12 + len(record)) % 64
    return sealed(padded(struct.pack('<IHHI', size, FAMILY, 0, 0) + record))


def series(family_offset, first_cell, cell_count, values=()):
    record = struct.pack('<IQIHH', family_offset, SERIES_WALL_NS, first_cell,
                         cell_count, len(values))
    record += b''.join(text(value) for value in values)
    size = 12 + len(record) + -(12 + len(record)) % 64
    return sealed(padded(struct.pack('<IHHI', size, SERIES, 0, 0) + record))


def removed(first_cell):
    return sealed(padded(struct.pack('<IHHIIQ', 64, REMOVED, 0, 0, first_cell,
                                     SERIES_WALL_NS + 10**9)))


def cells(slot, chunk, values):
    """`values`: cell index in the block -> the cell's 64 bits."""
    block = [0] * 512
    for index, value in values.items():
        block[index] = value
    head = struct.pack('<IHHIII44x', 4160, CELLS, 0, 0, slot, chunk)
    return sealed(head + struct.pack('<512Q', *block), covered=64)


def metric_file(number, records, **header_fields):
    """The whole file; `number` gives it a uuid of its own."""
    body = b''.join(records)
    uuid = bytes(range(0xa0, 0xaf)) + bytes([number])
    return header(uuid, 4096 + len(body), **header_fields) + body


# The first record of each file below is slot 0's block of chunk 0, so that the
# first FAMILY is at 8256.
FIRST_FAMILY = 4096 + 4160


def make_counter_u64():
    """The example of FORMAT.md."""
    return metric_file(1, [
        cells(0, 0, {0: 42}),
        family('requests_total', COUNTER, U64, labels=['method'],
               help_text='Requests.'),
        series(FIRST_FAMILY, 0, 1, ['GET']),
    ])


def make_counter_f64():
    return metric_file(2, [
        cells(0, 0, {0: f64(1.5), 1: f64(0.0)}),
        family('busy_seconds_total', COUNTER, F64, labels=['cpu', 'mode'],
               unit='seconds', help_text='Busy: "x\\y"\nper CPU, µ.'),
        series(FIRST_FAMILY, 0, 1, ['0', 'user']),
        series(FIRST_FAMILY, 1, 1, ['', 'sys"\\\ntem é']),
        cells(1, 0, {0: f64(0.25), 1: f64(1e-300)}),
    ])


def make_up_down_counter():
    return metric_file(3, [
        cells(0, 0, {0: 2**64 - 5}),
        family('requests_in_flight', UP_DOWN_COUNTER, I64, mode=LIVE_SUM),
        series(FIRST_FAMILY, 0, 1),
        cells(7, 0, {0: 3}),
    ])


def make_gauge():
    return metric_file(4, [
        cells(0, 0, {0: gauge(-2.5), 2: gauge(0.0), 3: gauge(float('inf'))}),
        family('temperature_celsius', GAUGE, F64, mode=ALL, labels=['place'],
               unit='celsius'),
        series(FIRST_FAMILY, 0, 1, ['roof']),
        series(FIRST_FAMILY, 1, 1, ['never set']),
        series(FIRST_FAMILY, 2, 1, ['zero']),
        series(FIRST_FAMILY, 3, 1, ['sun']),
    ])


def make_gauge_most_recent():
    return metric_file(5, [
        cells(0, 0, {0: gauge(17.0), 1: 1748779205 * 10**9 + 1}),
        family('last_success_timestamp', GAUGE, F64, mode=MOST_RECENT),
        series(FIRST_FAMILY, 0, 2),
    ])


def make_histogram():
    return metric_file(6, [
        cells(0, 0, {509: 1, 510: 0, 511: 2}),
        family('latency_seconds', HISTOGRAM, F64, bounds=[-0.5, 0.25, 1e9],
               labels=['path'], unit='seconds'),
        # Five cells do not fit behind cell 509 of chunk 0: chunk 1.
        cells(0, 1, {0: 1, 1: 2, 2: 0, 3: 4, 4: f64(10.5)}),
        series(FIRST_FAMILY, 512, 5, ['/']),
        cells(2, 1, {0: 0, 1: 1, 2: 5, 3: 0, 4: f64(-0.5)}),
        cells(2, 0, {509: 7}),
    ])


def make_summary():
    return metric_file(7, [
        cells(0, 0, {10: 3, 11: f64(0.1)}),
        family('size_bytes', SUMMARY, F64, unit='bytes'),
        series(FIRST_FAMILY, 10, 2),
        cells(1, 0, {10: 2**40, 11: f64(0.25)}),
        cells(3, 0, {10: 1, 11: f64(1e16)}),
        cells(2, 0, {10: 0, 11: f64(-1e16)}),
    ])


def make_process_labels():
    return metric_file(8, [
        cells(0, 0, {0: 1}),
        family('up_total', COUNTER, U64),
        series(FIRST_FAMILY, 0, 1),
    ], labels=[('app', 'web'), ('zone', 'b,ü')], executable='my server',
        worker='3', state=1, dropped=(4, 5, 6))


def make_empty():
    return metric_file(9, [])


def make_newer_minor():
    """What a later 1.x writer may add: this version's readers skip it."""
    unknown = sealed(padded(struct.pack('<IHHI', 192, 0x7001, 0, 0) +
                            b'from the future'.ljust(180, b'!')))
    mutable = sealed(struct.pack('<IHHI', 256, 0xF001, 0, 0).ljust(64, b'?') +
                     b'!' * 192, covered=64)
    longer = family('later_total', COUNTER, U64)
    longer = struct.pack('<I', len(longer) + 64) + longer[4:8] + bytes(4)
    longer += family('later_total', COUNTER, U64)[12:] + b'\x01' * 64
    return metric_file(10, [
        cells(0, 0, {0: 6}),
        sealed(longer),
        unknown,
        series(FIRST_FAMILY, 0, 1),
        mutable,
        unknown,
    ], minor=9, compatible_flags=0x80000001)


def with_offsets(pieces):
    """Records, of which a piece may be made from the offsets before it.

    A piece that is callable gets the offsets of all records so far, in order.
    """
    records, offsets, at = [], [], 4096
    for piece in pieces:
        records.append(piece(offsets) if callable(piece) else piece)
        offsets.append(at)
        at += len(records[-1])
    return records


def gauge_modes():
    """Pieces: a family and a series of each mode; cells 32 to 43 of chunk 0."""
    names = ['all', 'liveall', 'sum', 'livesum', 'min', 'livemin', 'max',
             'livemax', 'mostrecent', 'livemostrecent']
    pieces, cell = [], 32
    for mode, name in enumerate(names, ALL):
        count = 2 if mode >= MOST_RECENT else 1
        pieces.append(family('gauge_' + name, GAUGE, F64, mode=mode,
                             labels=['place'], help_text='Mode %s.' % name))
        pieces.append(lambda offsets, cell=cell, count=count: series(
            offsets[-1], cell, count, ['here']))
        cell += count
    return pieces


def make_everything():
    """Every kind, type, value kind and mode; two slots, two chunks."""
    unknown = sealed(padded(struct.pack('<IHHI', 128, 0x7001, 0, 0) +
                            b'from the future'.ljust(100, b'!')))
    mutable = sealed(struct.pack('<IHHI', 192, 0xF001, 0, 0).ljust(64, b'?') +
                     b'!' * 128, covered=64)
    gauges = {32 + i: gauge(i + 0.5) for i in range(8)}
    gauges.update({40: gauge(9.5), 41: 1748779205 * 10**9,
                   42: gauge(10.5), 43: 1748779206 * 10**9})
    return metric_file(11, with_offsets([
        cells(0, 0, {0: 42, 1: 7, 2: f64(0.1), 3: 2**64 - 5, 4: 6,
                     8: 3, 9: f64(0.25), **gauges}),
        family('requests_total', COUNTER, U64, labels=['method', 'code'],
               help_text='Requests.'),
        lambda at: series(at[1], 0, 1, ['GET', '200']),
        lambda at: series(at[1], 1, 1, ['PUT', 'é"\\\n']),
        family('busy_seconds_total', COUNTER, F64, unit='seconds',
               help_text='Busy: "x\\y"\nper CPU, µ.'),
        lambda at: series(at[4], 2, 1),
        cells(5, 0, {0: 58, 1: 0, 2: f64(0.25), 3: 3, 4: 1, 8: 2**40,
                     9: f64(0.5)}),
        family('requests_in_flight', UP_DOWN_COUNTER, I64, mode=LIVE_SUM),
        lambda at: series(at[7], 3, 1),
        family('connections', UP_DOWN_COUNTER, I64, mode=SUM),
        lambda at: series(at[9], 4, 1),
        unknown,
        *gauge_modes(),
        family('size_bytes', SUMMARY, F64, unit='bytes'),
        lambda at: series(at[-1], 8, 2),
        family('latency_seconds', HISTOGRAM, F64, bounds=[-0.5, 0.25, 1e9],
               labels=['path'], unit='seconds'),
        cells(0, 1, {0: 1, 1: 2, 2: 0, 3: 4, 4: f64(10.5), 5: 2, 9: f64(3.0)}),
        lambda at: series(at[-2], 512, 5, ['/']),
        mutable,
        lambda at: series(at[-4], 517, 5, ['/a']),
        cells(5, 1, {0: 0, 1: 1, 2: 5, 3: 0, 4: f64(-0.5), 5: 1}),
    ]), labels=[('app', 'web')], worker='3', state=1, dropped=(4, 5, 6))


def make_neighbour():
    """A sound file beside damaged ones; sorts before them."""
    return metric_file(12, with_offsets([
        cells(0, 0, {0: 17, 1: 0, 2: 3, 3: 1, 4: f64(2.25)}),
        family('a_neighbour_total', COUNTER, U64, labels=['path'],
               help_text='Sound.'),
        lambda at: series(at[1], 0, 1, ['/"\\']),
        family('a_neighbour_seconds', HISTOGRAM, F64, bounds=[0.5, 1.0],
               labels=['method']),
        lambda at: series(at[3], 1, 4, ['GET']),
    ]))


def make_removed():
    """Series that the process no longer holds, and one that it has again."""
    return metric_file(13, with_offsets([
        cells(0, 0, {0: 42, 1: 5, 2: gauge(1.5), 3: gauge(2.5), 4: 2**64 - 3,
                     5: 1, 6: 2, 7: f64(0.5), 8: 7}),
        family('jobs_total', COUNTER, U64, labels=['queue']),
        lambda at: series(at[1], 0, 1, ['mail']),
        lambda at: series(at[1], 1, 1, ['disk']),
        removed(1),
        family('room_celsius', GAUGE, F64, mode=MAX, labels=['place']),
        lambda at: series(at[5], 2, 1, ['roof']),
        lambda at: series(at[5], 3, 1, ['cellar']),
        removed(2),
        family('jobs_in_flight', UP_DOWN_COUNTER, I64, mode=SUM,
               labels=['queue']),
        lambda at: series(at[9], 4, 1, ['mail']),
        removed(4),
        family('job_seconds', HISTOGRAM, F64, bounds=[1.0], labels=['queue']),
        lambda at: series(at[12], 5, 3, ['mail']),
        lambda at: series(at[1], 8, 1, ['disk']),
        cells(3, 0, {1: 20, 5: 1, 7: f64(0.25)}),
        removed(5),
    ]), state=1)


def make_states():
    """State sets, an info, and gauges with a time to live."""
    seconds = 10**9
    return metric_file(14, with_offsets([
        cells(0, 0, {0: 0b101, 1: 0, 2: 0b10, 3: CREATED_WALL_NS + 7,
                     4: gauge(1.0), 5: gauge(20.5), 6: 6 * seconds,
                     7: gauge(21.5), 8: 0, 9: gauge(22.5),
                     10: CREATED_WALL_NS + 8, 11: 6 * seconds, 12: 0b11,
                     13: 6 * seconds, 14: 0}),
        family('pump', STATE_SET, U64, mode=SUM, labels=['site'],
               states=['off', 'on', 'é"\\'], help_text='State.'),
        lambda at: series(at[1], 0, 1, ['a']),
        lambda at: series(at[1], 1, 1, ['b']),
        family('phase', STATE_SET, U64, mode=MOST_RECENT,
               states=['solid', 'liquid']),
        lambda at: series(at[4], 2, 2),
        family('build_info', INFO, F64, mode=LIVE_MAX, labels=['version']),
        lambda at: series(at[6], 4, 1, ['1.2']),
        # Those of 10^9 seconds outlive whoever runs this.
        family('level', GAUGE, F64, mode=MAX, bounds=[1e9], labels=['tank']),
        lambda at: series(at[8], 5, 2, ['north']),
        lambda at: series(at[8], 7, 2, ['no time']),
        family('brief', GAUGE, F64, mode=MOST_RECENT, bounds=[0.25]),
        lambda at: series(at[11], 9, 3),
        family('door', STATE_SET, U64, mode=MAX, bounds=[1e9],
               states=['open', 'locked']),
        lambda at: series(at[13], 12, 2),
    ]), state=1)


GOLDEN = {
    'counter_f64.tine': make_counter_f64,
    'counter_u64.tine': make_counter_u64,
    'empty.tine': make_empty,
    'everything.tine': make_everything,
    'gauge.tine': make_gauge,
    'gauge_most_recent.tine': make_gauge_most_recent,
    'histogram.tine': make_histogram,
    'neighbour.tine': make_neighbour,
    'newer_minor.tine': make_newer_minor,
    'process_labels.tine': make_process_labels,
    'removed.tine': make_removed,
    'states.tine': make_states,
    'summary.tine': make_summary,
    'up_down_counter.tine': make_up_down_counter,
}


def main(directory):
    for name, make in GOLDEN.items():
        with open(os.path.join(directory, name), 'wb') as out:
            out.write(make())


if __name__ == '__main__':
    main(sys.argv[1])
