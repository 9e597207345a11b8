#!/usr/bin/python3
"""Prints what metric files hold. Written from common/FORMAT.md alone.

    read_format.py FILE...    one line for each process label and each series
"""
import math
import os
import struct
import sys
import zlib

TYPES = {1: 'counter', 2: 'gauge', 3: 'histogram', 4: 'summary', 5: 'updown',
         6: 'stateset', 7: 'info'}


def strings(data, at, count):
    result = []
    for _ in range(count):
        length, = struct.unpack_from('<H', data, at)
        result.append(data[at + 2:at + 2 + length].decode())
        at += 2 + length
    return result


def check(data, crc):
    if zlib.crc32(data) != crc:
        sys.exit('a checksum is wrong')


def as_double(bits):
    return struct.unpack('<d', struct.pack('<Q', bits))[0]


def value_of(metric_type, value_kind, mode, bounds, states, rows):
    """`rows`: the series' cells in each slot, slot 0 first."""
    whole = [sum(column) for column in zip(*rows)]
    real = math.fsum(as_double(row[-1]) for row in rows)
    if metric_type in (2, 6, 7):
        bits = rows[0][0]
        value = as_double(bits ^ 0x7FF454494E450000) if bits else 'unset'
        if metric_type == 6:
            value = ','.join(s for i, s in enumerate(states) if bits >> i & 1)
        times = (' at=%d' % rows[0][1] if mode >= 9 else '',
                 ' set=%d' % rows[0][-1] if bounds else '')
        return '%s%s%s' % (value, *times)
    if metric_type == 3:
        counts = ['%s:%d' % pair for pair in zip(bounds + ('+Inf',), whole)]
        return 'buckets=%s sum=%s' % (','.join(counts), real)
    if metric_type == 4:
        return 'count=%d sum=%s' % (whole[0], real)
    if metric_type == 5:
        return (whole[0] + 2**63) % 2**64 - 2**63
    return real if value_kind == 2 else whole[0]


def read_file(path):
    with open(path, 'rb') as file:
        used, = struct.unpack('<Q', os.pread(file.fileno(), 8, 3968))
        # In a later read than `used`: everything below it is there.
        return read(os.pread(file.fileno(), used, 0))


def read(data):
    """`data`: the file up to its `used`."""
    magic, endian, major, _, size, _, incompatible = struct.unpack_from(
        '<8sIHHIII', data)
    if (magic, endian, major, size, incompatible) != (
            b'TINE\r\n\x1a\n', 0x1020304, 1, 4096, 0):
        sys.exit('not a metric file of version 1')
    check(data[:3964], *struct.unpack_from('<I', data, 3964))
    labels = strings(data, 128, 2 + 2 * struct.unpack_from('<H', data, 124)[0])
    for pair in zip(labels[2::2], labels[3::2]):
        yield 'process %s=%r' % pair
    families, all_series, removed, blocks, at = {}, [], set(), {}, 4096
    while at < len(data):
        size, kind, _, crc = struct.unpack_from('<IHHI', data, at)
        record = data[at:at + 8] + bytes(4) + data[at + 12:at + size]
        check(record[:64] if kind & 0x8000 else record, crc)
        if kind == 1:
            (kinds, state_count, name, unit, help_text, label_count, bound_count
             ) = struct.unpack_from('<3sBHHIHH', record, 12)
            text = 32 + 8 * bound_count
            names = strings(record, text + name + unit + help_text,
                            label_count + state_count)
            families[at] = (
                record[text:text + name].decode(), names[:label_count],
                (*kinds, struct.unpack_from('<%dd' % bound_count, record, 32),
                 names[label_count:]))
        elif kind == 2:
            family, _, first, count, label_count = struct.unpack_from(
                '<IQIHH', record, 12)
            values = strings(record, 32, label_count)
            all_series.append((families[family], first, count, values))
        elif kind == 3:
            removed.update(struct.unpack_from('<I', record, 12))
        elif kind == 0x8001:
            slot, chunk = struct.unpack_from('<II', record, 12)
            block = struct.unpack_from('<512Q', record, 64)
            blocks.setdefault(chunk, {})[slot] = block
        at += size
    for (name, names, kinds), first, count, values in all_series:
        if first in removed and kinds[0] not in (1, 3, 4):
            continue  # a gauge of some kind
        slots, begin = blocks[first // 512], first % 512
        rows = [slots[slot][begin:begin + count] for slot in sorted(slots)]
        labels = ','.join('%s=%r' % pair for pair in zip(names, values))
        yield '%s %s{%s} %s' % (TYPES[kinds[0]], name, labels,
                                value_of(*kinds, rows))


if __name__ == '__main__':
    for path in sys.argv[1:]:
        print(*read_file(path), sep='\n')
