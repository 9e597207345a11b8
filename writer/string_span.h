#ifndef TINE_WRITER_STRING_SPAN_H_
#define TINE_WRITER_STRING_SPAN_H_

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace tine {

// A borrowed sequence of strings, for parameters: {"a", "b"} or a vector.
// Lives no longer than the call it is passed to.
class StringSpan {
 public:
  StringSpan() = default;
  StringSpan(const std::string_view* data, size_t size)
      : data_(data), size_(size) {}
  StringSpan(std::initializer_list<std::string_view> list)  // NOLINT
      : StringSpan(list.size() == 0 ? nullptr : &*list.begin(), list.size()) {}
  StringSpan(const std::vector<std::string_view>& list)  // NOLINT
      : data_(list.data()), size_(list.size()) {}

  const std::string_view* begin() const { return data_; }
  const std::string_view* end() const { return data_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view operator[](size_t index) const { return data_[index]; }

 private:
  const std::string_view* data_ = nullptr;
  size_t size_ = 0;
};

// A label by name.
struct LabelPair {
  std::string_view name;
  std::string_view value;
};

}  // namespace tine

#endif  // TINE_WRITER_STRING_SPAN_H_
