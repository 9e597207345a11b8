// The text exposition format, version 0.0.4: merged families in, the body of a
// scrape out. Rules: Prometheus, "Exposition formats".

#ifndef TINE_COLLECTOR_TEXT_ENCODER_H_
#define TINE_COLLECTOR_TEXT_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/merged_family.h"

namespace tine::collector {

// Everything of a family's lines that is not a number, rendered once and good
// until the family's layout_id changes. Defined in text_encoder.cc.
class TextLayout;

// Keeps the rendered labels of all series between scrapes, so that a scrape
// formats nothing but numbers. Costs the bytes of the label texts, once.
// Not thread-safe: one encoder belongs to whoever renders.
class TextEncoder {
 public:
  static constexpr std::string_view kContentType =
      "text/plain; version=0.0.4; charset=utf-8";

  TextEncoder();
  ~TextEncoder();
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  // Replaces `*out` with the exposition of `families`, which are sorted by name
  // and valid (names, UTF-8: the reader of metric files has seen to that).
  // Series that are not present are left out, and families without any. What
  // was kept for families that are no longer there is dropped.
  void Encode(const MergedFamilies& families, std::string* out);

 private:
  std::vector<TextLayout> layouts_;  // of the last Encode, sorted by name
  size_t last_size_bytes_ = 0;       // of the last output: the next one's guess
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_TEXT_ENCODER_H_
