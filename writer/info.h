#ifndef TINE_WRITER_INFO_H_
#define TINE_WRITER_INFO_H_

#include <initializer_list>
#include <string_view>

#include "writer/family.h"

namespace tine {

namespace internal {

// Makes `series` the only one that its info family tells. False: it is not
// told.
bool TellOnly(const Series* series) noexcept;

}  // namespace internal

// What is told by labels alone, like a version: `name_info{labels} 1`. Its name
// ends in "_info".
//
// Served once for each label set that a living process has, however many have
// it; what a dead process told goes with it (mode kLiveMax): a version that
// nobody runs is no news. A forked child tells nothing until it calls Set().
class Info {
 public:
  Info() = default;
  // Tells `labels` at once. Their names are those of every later Set().
  Info(std::string_view name, std::string_view help,
       std::initializer_list<LabelPair> labels) noexcept;

  // Tells `labels` instead: the old series is removed, the new one added. A
  // scrape in the very moment may find neither, or both. False when the names
  // are not the constructor's (told as a look-up tells it) or there is no room:
  // then `labels` are not told. Each change takes its records, as
  // LabelledFamily::Remove() says.
  //
  // Any thread and forked children, but not two at once; not a signal handler.
  bool Set(std::initializer_list<LabelPair> labels) const noexcept;

  // Ok, or what is wrong with the definition.
  Status status() const;

 private:
  internal::Family* family_ = nullptr;
};

}  // namespace tine

#endif  // TINE_WRITER_INFO_H_
