#include "writer/preset.h"

#include <cstring>
#include <new>

#include "common/metric_names.h"
#include "writer/arena.h"
#include "writer/family.h"
#include "writer/process_state.h"
#include "writer/registry.h"
#include "writer/slow_path_lock.h"

namespace tine::internal {

// In the registry's memory; complete before it is in a family's list, and never
// changed. The values of the family's labels follow, and their text.
struct PresetValues {
  PresetValues* next = nullptr;
  uint64_t given = 0;  // bit i: label i
  size_t given_count = 0;
  std::string_view* values() {
    return reinterpret_cast<std::string_view*>(this + 1);
  }
  const std::string_view* values() const {
    return reinterpret_cast<const std::string_view*>(this + 1);
  }
};
static_assert(kMaxLabelCount <= 64);

namespace {

// False of one that was refused, or that a disabled writer has: then a label is
// neither right nor wrong.
bool HasDefinition(const Family* family) {
  return family->definition.type != format::MetricType::kNone;
}

void NoteMistake(const char* what, const Family* family) {
  ProcessState* process = CurrentProcess();
  if (process != nullptr) {
    NoteUsageError(process, what, family->definition.name);
  }
}

bool IsGiven(uint64_t given, size_t index) { return (given >> index & 1) != 0; }

uint64_t GivenBy(const PresetView& preset) {
  return preset.values == nullptr ? 0 : preset.values->given;
}

// The family's number of labels when there is none of that name.
size_t IndexOf(const StringListView& names, std::string_view name) {
  size_t index = 0;
  for (const std::string_view known : names) {
    if (known == name) {
      break;
    }
    ++index;
  }
  return index;
}

// Their number is looked through by each new one.
constexpr int kMaxPresets = 1000;

bool HasLongValue(const LabelPair* labels, size_t label_count) {
  for (size_t i = 0; i < label_count; ++i) {
    if (labels[i].value.size() > kMaxLabelValueBytes) {
      return true;
    }
  }
  return false;
}

// Its values are those of `values` where a bit is set in `given`. Null: no
// memory, or too many.
const PresetValues* FindOrAddLocked(Family* family, uint64_t given,
                                    const std::string_view* values) {
  const size_t count = family->definition.label_names.size();
  size_t text_bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    text_bytes += values[i].size();
  }
  int preset_count = 0;
  for (const PresetValues* known = family->presets; known != nullptr;
       known = known->next) {
    ++preset_count;
    size_t i = 0;
    while (i < count && known->values()[i] == values[i]) {
      ++i;
    }
    if (known->given == given && i == count) {
      return known;
    }
  }
  void* memory = preset_count >= kMaxPresets
                     ? nullptr
                     : g_arena.AllocateLocked(sizeof(PresetValues) +
                                              count * sizeof(std::string_view) +
                                              text_bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* preset = new (memory) PresetValues();
  auto* text = reinterpret_cast<char*>(preset->values() + count);
  for (size_t i = 0; i < count; ++i) {
    if (!values[i].empty()) {
      std::memcpy(text, values[i].data(), values[i].size());
    }
    new (preset->values() + i) std::string_view(text, values[i].size());
    text += values[i].size();
  }
  preset->given = given;
  preset->given_count = static_cast<size_t>(__builtin_popcountll(given));
  preset->next = family->presets;
  family->presets = preset;
  return preset;
}

// Not filled beforehand, which would take longer than the look-up.
union ValueBuffer {
  ValueBuffer() {}
  std::string_view values[kMaxLabelCount];
};

}  // namespace

PresetView AddPreset(const PresetView& base, const LabelPair* labels,
                     size_t label_count) noexcept {
  Family* family = base.family;
  if (!HasDefinition(family) || label_count == 0) {
    return base;
  }
  const StringListView& names = family->definition.label_names;
  std::string_view values[kMaxLabelCount];
  uint64_t given = GivenBy(base);
  for (size_t i = 0; i < names.size(); ++i) {
    values[i] = IsGiven(given, i) ? base.values->values()[i] : values[i];
  }
  for (size_t i = 0; i < label_count; ++i) {
    const size_t index = IndexOf(names, labels[i].name);
    if (index == names.size() || IsGiven(given, index)) {
      return {RefuseLabel(family, labels[i].name,
                          index == names.size()
                              ? "a preset of a label that the metric does not "
                                "have"
                              : "a label is preset twice"),
              nullptr};
    }
    values[index] = labels[i].value;
    given |= uint64_t{1} << index;
  }
  if (HasLongValue(labels, label_count)) {
    return {RefuseLabel(family, labels[0].name,
                        "a preset of a value of more than 65535 bytes"),
            nullptr};
  }
  const PresetValues* preset = nullptr;
  ProcessState* process = CurrentProcess();
  if (process != nullptr) {
    SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
    preset = lock.is_held() ? FindOrAddLocked(family, given, values) : nullptr;
  }
  if (preset == nullptr) {
    return {RefuseLabel(family, labels[0].name,
                        "more than 1000 different presets of one metric, or no "
                        "memory for one"),
            nullptr};
  }
  return {family, preset};
}

Series* FindPreset(const PresetView& preset, StringSpan rest) noexcept {
  if (preset.values == nullptr) {
    return FindOrAddSeries(preset.family, rest);
  }
  const size_t count = preset.family->definition.label_names.size();
  if (preset.values->given_count + rest.size() != count) {
    NoteMistake("a look-up in a preset with the wrong number of label values",
                preset.family);
    return nullptr;
  }
  ValueBuffer buffer;
  const std::string_view* given = preset.values->values();
  const std::string_view* next = rest.begin();
  for (size_t i = 0; i < count; ++i) {
    new (&buffer.values[i])
        std::string_view(IsGiven(preset.values->given, i) ? given[i] : *next++);
  }
  return FindOrAddSeries(preset.family, StringSpan(buffer.values, count));
}

Series* FindPresetByName(const PresetView& preset, const LabelPair* rest,
                         size_t rest_count) noexcept {
  LabelPair labels[kMaxLabelCount + 1];
  size_t count = 0;
  size_t index = 0;
  for (const std::string_view name : preset.family->definition.label_names) {
    if (IsGiven(GivenBy(preset), index)) {
      labels[count++] = {name, preset.values->values()[index]};
    }
    ++index;
  }
  for (size_t i = 0; i < rest_count && count <= kMaxLabelCount; ++i) {
    labels[count++] = rest[i];
  }
  return FindOrAddSeriesByName(preset.family, labels, count);
}

}  // namespace tine::internal
