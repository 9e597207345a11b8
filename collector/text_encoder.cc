#include "collector/text_encoder.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "collector/number_text.h"
#include "common/exact_sum.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

using format::MetricType;

// A string that is written through a pointer. Growing is checked once a sample,
// not once a piece.
class TextBuffer {
 public:
  TextBuffer(std::string* text, size_t size_hint_bytes) : text_(text) {
    text_->resize(size_hint_bytes);
    at_ = text_->data();
    end_ = at_ + text_->size();
  }

  // Makes room for `size_bytes` more.
  void Reserve(size_t size_bytes) {
    if (static_cast<size_t>(end_ - at_) < size_bytes) {
      const size_t used = static_cast<size_t>(at_ - text_->data());
      text_->resize(2 * used + size_bytes);
      at_ = text_->data() + used;
      end_ = text_->data() + text_->size();
    }
  }
  // The caller has reserved for all of these.
  void Append(std::string_view piece) {
    std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }
  void AppendNumberLine(double value) {
    at_ = FormatNumber(value, at_);
    *at_++ = '\n';
  }
  void AppendCountLine(uint64_t count) {
    at_ = FormatCount(count, at_);
    *at_++ = '\n';
  }

  void Finish() { text_->resize(static_cast<size_t>(at_ - text_->data())); }

 private:
  std::string* text_;
  char* at_;
  char* end_;
};

constexpr size_t kNumberLineBytes = kMaxNumberTextBytes + 1;
constexpr std::string_view kBucketSuffix = "_bucket";
constexpr std::string_view kSumSuffix = "_sum";
constexpr std::string_view kCountSuffix = "_count";

void AppendEscaped(std::string_view text, bool escape_quotes,
                   std::string* out) {
  for (const char c : text) {
    if (c == '\n') {
      out->append("\\n");
      continue;
    }
    if (c == '\\' || (c == '"' && escape_quotes)) {
      out->push_back('\\');
    }
    out->push_back(c);
  }
}

// `{a="x",b="y"}`, or nothing when there are no labels.
void AppendLabels(const LabelSet& labels, std::string* out) {
  char separator = '{';
  bool is_name = true;
  for (const std::string_view text : labels.strings()) {
    if (is_name) {
      out->push_back(separator);
      out->append(text);
      out->append("=\"");
      separator = ',';
    } else {
      AppendEscaped(text, /*escape_quotes=*/true, out);
      out->push_back('"');
    }
    is_name = !is_name;
  }
  if (!labels.empty()) {
    out->push_back('}');
  }
}

std::string MakeHeader(const MergedFamily& family) {
  std::string header;
  if (!family.help.empty()) {
    header.append("# HELP ").append(family.name).append(" ");
    AppendEscaped(family.help, /*escape_quotes=*/false, &header);
    header.append("\n");
  }
  header.append("# TYPE ").append(family.name).append(" ");
  header.append(ExposedTypeName(family.type)).append("\n");
  return header;
}

// `le="0.1"} ` for each bound and for +Inf.
std::vector<std::string> MakeBucketTails(const std::vector<double>& bounds) {
  std::vector<std::string> tails;
  for (const double bound : bounds) {
    char text[kMaxNumberTextBytes];
    const std::string_view le(
        text, static_cast<size_t>(FormatBound(bound, text) - text));
    tails.push_back("le=\"" + std::string(le) + "\"} ");
  }
  tails.push_back("le=\"+Inf\"} ");
  return tails;
}

}  // namespace

class TextLayout {
 public:
  explicit TextLayout(const MergedFamily& family)
      : layout_id_(family.layout_id),
        name_(family.name),
        header_(MakeHeader(family)) {
    label_ends_.reserve(family.series.size());
    for (const MergedSeries& series : family.series) {
      AppendLabels(series.labels, &labels_);
      label_ends_.push_back(labels_.size());
    }
    labels_.shrink_to_fit();
    if (family.type == MetricType::kHistogram) {
      bucket_tails_ = MakeBucketTails(family.bounds);
    }
  }

  const std::string& name() const { return name_; }
  bool IsOf(const MergedFamily& family) const {
    return layout_id_ == family.layout_id && name_ == family.name &&
           label_ends_.size() == family.series.size();
  }

  // `family` is the one that this layout is of.
  void Encode(const MergedFamily& family, TextBuffer* out) const;

 private:
  void EncodeHistogram(const MergedSeries& series, std::string_view labels,
                       TextBuffer* out) const;

  // `name suffix {labels} `: what stands before the number. Reserves for the
  // whole line.
  void BeginLine(std::string_view suffix, std::string_view labels,
                 TextBuffer* out) const {
    out->Reserve(name_.size() + suffix.size() + labels.size() + 1 +
                 kNumberLineBytes);
    out->Append(name_);
    out->Append(suffix);
    out->Append(labels);
    out->Append(" ");
  }

  uint64_t layout_id_;
  std::string name_;
  std::string header_;
  std::string labels_;  // of all series, one after the other
  std::vector<size_t> label_ends_;
  std::vector<std::string> bucket_tails_;
};

void TextLayout::EncodeHistogram(const MergedSeries& series,
                                 std::string_view labels,
                                 TextBuffer* out) const {
  assert(series.buckets.size() == bucket_tails_.size());
  // `{a="x",` or `{`: the bucket's own label comes last.
  const std::string_view open_labels =
      labels.substr(0, labels.empty() ? 0 : labels.size() - 1);
  const std::string_view separator = labels.empty() ? "{" : ",";
  uint64_t cumulative = 0;
  bool saturated = false;
  for (size_t i = 0; i < bucket_tails_.size(); ++i) {
    if (i < series.buckets.size()) {
      cumulative = SaturatingAdd(cumulative, series.buckets[i], &saturated);
    }
    const std::string& tail = bucket_tails_[i];
    out->Reserve(name_.size() + kBucketSuffix.size() + open_labels.size() + 1 +
                 tail.size() + kNumberLineBytes);
    out->Append(name_);
    out->Append(kBucketSuffix);
    out->Append(open_labels);
    out->Append(separator);
    out->Append(tail);
    out->AppendCountLine(cumulative);
  }
  BeginLine(kSumSuffix, labels, out);
  out->AppendNumberLine(series.value);
  // The +Inf bucket and the count are the same number by construction.
  BeginLine(kCountSuffix, labels, out);
  out->AppendCountLine(cumulative);
}

void TextLayout::Encode(const MergedFamily& family, TextBuffer* out) const {
  bool has_header = false;
  size_t label_begin = 0;
  for (size_t i = 0; i < family.series.size(); ++i) {
    const MergedSeries& series = family.series[i];
    const size_t label_end = label_ends_[i];
    const std::string_view labels(labels_.data() + label_begin,
                                  label_end - label_begin);
    label_begin = label_end;
    if (!series.is_present) {
      continue;
    }
    if (!has_header) {
      out->Reserve(header_.size());
      out->Append(header_);
      has_header = true;
    }
    if (family.type == MetricType::kHistogram) {
      EncodeHistogram(series, labels, out);
    } else if (family.type == MetricType::kSummary) {
      BeginLine(kSumSuffix, labels, out);
      out->AppendNumberLine(series.value);
      BeginLine(kCountSuffix, labels, out);
      out->AppendCountLine(series.count);
    } else {
      BeginLine("", labels, out);
      out->AppendNumberLine(series.value);
    }
  }
}

TextEncoder::TextEncoder() = default;
TextEncoder::~TextEncoder() = default;

void TextEncoder::Encode(const MergedFamilies& families, std::string* out) {
  TextBuffer buffer(out, last_size_bytes_);
  std::vector<TextLayout> layouts;
  layouts.reserve(families.size());
  size_t next = 0;  // both lists are sorted by name: walk them side by side
  for (const MergedFamily* family : families) {
    while (next < layouts_.size() && layouts_[next].name() < family->name) {
      ++next;
    }
    if (next < layouts_.size() && layouts_[next].IsOf(*family)) {
      layouts.push_back(std::move(layouts_[next++]));
    } else {
      layouts.emplace_back(*family);
    }
    layouts.back().Encode(*family, &buffer);
  }
  layouts_ = std::move(layouts);
  buffer.Finish();
  last_size_bytes_ = out->size() + out->size() / 16;
}

}  // namespace tine::collector
