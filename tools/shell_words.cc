#include "tools/shell_words.h"

namespace tine::tools {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

class Splitter {
 public:
  Splitter(std::string_view line, std::vector<std::string>* words)
      : line_(line), words_(words) {}

  bool Run(std::string* error) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (IsBlank(c)) {
        EndWord();
      } else if (c == '#' && !is_in_word_) {
        break;
      } else if (!Take(c, error)) {
        return false;
      }
    }
    EndWord();
    return true;
  }

 private:
  // Takes a character that belongs to a word, and what it quotes.
  bool Take(char c, std::string* error) {
    is_in_word_ = true;
    if (c == '\'') {
      return TakeSingleQuoted(error);
    }
    if (c == '"') {
      return TakeDoubleQuoted(error);
    }
    if (c == '\\') {
      if (at_ == line_.size()) {
        *error = "the line ends in a backslash";
        return false;
      }
      c = line_[at_++];
    }
    word_ += c;
    return true;
  }

  bool TakeSingleQuoted(std::string* error) {
    const size_t end = line_.find('\'', at_);
    if (end == std::string_view::npos) {
      *error = "a single quote is not closed";
      return false;
    }
    word_ += line_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }

  bool TakeDoubleQuoted(std::string* error) {
    constexpr std::string_view kQuotable = "\\\"$`";
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') {
        return true;
      }
      const bool is_quoting =
          c == '\\' && at_ < line_.size() &&
          kQuotable.find(line_[at_]) != std::string_view::npos;
      word_ += is_quoting ? line_[at_++] : c;
    }
    *error = "a double quote is not closed";
    return false;
  }

  void EndWord() {
    if (is_in_word_) {
      words_->push_back(word_);
    }
    word_.clear();
    is_in_word_ = false;
  }

  const std::string_view line_;
  std::vector<std::string>* const words_;
  size_t at_ = 0;
  std::string word_;
  bool is_in_word_ = false;
};

}  // namespace

bool SplitShellWords(std::string_view line, std::vector<std::string>* words,
                     std::string* error) {
  words->clear();
  return Splitter(line, words).Run(error);
}

}  // namespace tine::tools
