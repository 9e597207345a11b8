# Worker processes in Ruby that count through libtine.so.
#
#   TINE_LIBRARY=/usr/local/lib/libtine.so.0 ruby count.rb

require 'fiddle'
require 'fiddle/import'

module Tine
  extend Fiddle::Importer
  dlload ENV.fetch('TINE_LIBRARY', 'libtine.so.0')
  typealias 'int32_t', 'int'
  typealias 'uint64_t', 'unsigned long long'

  COUNTER = 1
  HISTOGRAM = 5
  Definition = struct [ # tine_definition of tine.h, without later fields: they are as if 0
    'size_t size', 'int32_t type', 'int32_t mode', 'char *name', 'char *help',
    'char *unit', 'void *label_names', 'size_t label_count', 'void *bounds',
    'size_t bound_count'
  ]
  extern 'int tine_register(void *, void *, void *, size_t)'
  extern 'int tine_get_series(void *, void *, size_t, void *)'
  extern 'int tine_counter_add(void *, uint64_t)'
  extern 'int tine_histogram_observe(void *, double)'

  def self.strings(texts)
    texts.map { |text| Fiddle::Pointer[text].to_i }.pack('J*')
  end

  def self.family(type, name, help, *labels)
    texts = [name, help, *labels].map { |text| "#{text}\0" } # live until the end of the call
    names = strings(texts.drop(2))
    definition = Definition.malloc(Fiddle::RUBY_FREE)
    definition.to_ptr[0, Definition.size] = "\0" * Definition.size
    definition.size = Definition.size
    definition.type = type
    definition.name, definition.help = texts
    definition.label_names = names
    definition.label_count = labels.size
    made = "\0" * Fiddle::SIZEOF_VOIDP
    why = "\0" * 256
    tine_register(definition, made, why, why.size).zero? or raise why.unpack1('Z*')
    made.unpack1('J')
  end

  def self.series(family, *values)
    texts = values.map { |text| "#{text}\0" }
    found = "\0" * Fiddle::SIZEOF_VOIDP
    tine_get_series(family, strings(texts), texts.size, found)
    found.unpack1('J') # keep it; counting on it is safe whatever happened
  end
end

mail = Tine.series(Tine.family(Tine::COUNTER, 'jobs_total', 'Jobs done.', 'queue'), 'mail')
seconds = Tine.series(Tine.family(Tine::HISTOGRAM, 'job_seconds', 'Time of a job.'))
3.times do
  fork { 10.times { |i| Tine.tine_counter_add(mail, 1); Tine.tine_histogram_observe(seconds, i / 100.0) } }
end
Process.waitall
