#include "tools/command_line.h"
#include "core/error.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <utility>

namespace minception {
namespace {

void print_error(const CLI::App& app, const std::string& what, const std::vector<std::string>& details = {}) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), printable(what).c_str());
  constexpr std::size_t kMost = 1000;  // limits the output
  for (std::size_t i = 0; i < std::min(details.size(), kMost); ++i) {
    std::fprintf(stderr, "  %s\n", printable(details[i]).c_str());
  }
  if (details.size() > kMost) std::fprintf(stderr, "  and %zu more\n", details.size() - kMost);
}

/// With a standard stream closed (`train >&-`), the next opened file would get its descriptor and receive printed text.
/// Opens /dev/null in the opposite direction instead, so that reads and writes on the stream fail.
void reserve_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int opened = ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

/// A second data set, file or name would silently replace the first. For numbers the last one counts, so that a script
/// can override them; flags may be repeated, and lists are appended to.
void check_given_once(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();  // "INT", "FLOAT in [0 - 1]", "TEXT", "FILE"
    const bool number = type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT");
    const bool single = option->get_expected_max() == 1 && !number &&
                        option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeLast;
    require(!single || option->count() <= 1, option->get_name(), " is given ", option->count(),
            " times; it takes one value");
  }
}

int after_work(const CLI::App& app, const std::string& results) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  print_error(app, concat("the output could not be written: standard output is closed or its disk is full",
                          results.empty() ? "" : "; ", results));
  return kOutputLost;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    constexpr const char* kDigits = "0123456789abcdef";
    if (byte >= 0x20 && byte != 0x7f) {
      result += letter;
    } else {
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result;
}

using Option = CommandLine::Option;

Option Option::range(double least, double most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::integers(std::int64_t least, std::int64_t most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::one_of(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option Option::list() const {
  option_->delimiter(',')->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Option Option::required() const {
  option_->required();
  return *this;
}

Option Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}

Option Option::default_text(const std::string& text) const {
  option_->default_str(text);
  return *this;
}

Option Option::value_name(const std::string& text) const {
  option_->type_name(text);
  return *this;
}

Option Option::group(const std::string& heading) const {
  option_->group(heading);
  return *this;
}

CommandLine::CommandLine(const std::string& about, const std::string& program)
    : app_(std::make_unique<CLI::App>(about, program)) {
  app_->option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app_->set_version_flag("--version", concat(program, " of Minception ", MINCEPTION_VERSION),
                         "Print the version and exit");
}

CommandLine::~CommandLine() = default;

template <class T>
Option CommandLine::add_option(const std::string& name, T& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}

template Option CommandLine::add_option(const std::string&, std::string&, const std::string&);
template Option CommandLine::add_option(const std::string&, int&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::int64_t&, const std::string&);
template Option CommandLine::add_option(const std::string&, double&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::optional<std::int64_t>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<int>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<std::int64_t>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<double>&, const std::string&);

Option CommandLine::add_flag(const std::string& name, bool& value, const std::string& help) {
  return Option(*app_->add_flag(name, value, help));
}

Option CommandLine::add_arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  CLI::Option* const option = app_->add_option(name, values, help);
  option->required()->multi_option_policy(CLI::MultiOptionPolicy::Throw)->default_str("");
  return Option(*option);
}

void CommandLine::footer(const std::string& text) { app_->footer(text); }

Option CommandLine::add_config_option(const std::string& name, const std::string& help) {
  config_option_ = name;
  return Option(*app_->add_option(name, config_file_, help)->default_str("")->type_name("FILE"));
}

void CommandLine::add_earlier_name(const std::string& earlier, const std::string& name) {
  earlier_names_[earlier] = name;
}

const std::string& CommandLine::current_name(const std::string& name) const {
  const auto found = earlier_names_.find(name);
  return found == earlier_names_.end() ? name : found->second;
}

namespace {

using Json = nlohmann::ordered_json;

/// "--name" from "--name" or "--name=value".
std::string option_name(const std::string& word) { return word.substr(0, word.find('=')); }

/// The value of an option among the words, or "".
std::string value_of(const std::vector<std::string>& words, const std::string& name) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (option_name(words[i]) != name) continue;
    if (words[i].size() > name.size()) return words[i].substr(name.size() + 1);
    if (i + 1 < words.size()) return words[i + 1];
  }
  return "";
}

/// The value as typed on a command line; nullopt for an empty one, which stands for "not given".
std::optional<std::string> typed(const Json& value) {
  if (value.is_string())
    return value.get<std::string>().empty() ? std::nullopt : std::optional(value.get<std::string>());
  if (value.is_boolean() || value.is_number()) return value.dump();
  std::string text;
  for (const Json& element : value) text += (text.empty() ? "" : ",") + typed(element).value_or("");
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

std::vector<std::string> CommandLine::with_config(std::vector<std::string> words) const {
  const std::string file = config_option_.empty() ? "" : value_of(words, config_option_);
  if (file.empty()) return words;
  std::ifstream stream(file, std::ios::binary);
  require(stream.is_open(), config_option_, " ", file, ": cannot be opened: ", system_message());
  const Json json = Json::parse(stream, nullptr, false);
  require(json.is_object(), config_option_, " ", file, ": is not a JSON object of options");
  const bool of_run = json.contains("options") && json["options"].is_object();
  Json options = of_run ? json["options"] : json;
  if (of_run) {
    options.erase("data_checksum");
    options["data-dir"] = json.value("data_dir", "");
  }
  std::vector<std::string> added;
  for (const auto& [name, value] : options.items()) {
    const std::string option = current_name("--" + name);
    require(app_->get_option_no_throw(option) != nullptr && option != config_option_, config_option_, " ", file, ": '",
            name, "' is not an option of ", app_->get_name());
    const bool simple = !value.is_null() && !value.is_object();
    require(simple, config_option_, " ", file, ": the value of '", name, "' is not valid for an option");
    const bool given =
        std::any_of(words.begin(), words.end(), [&](const std::string& word) { return option_name(word) == option; });
    if (const std::optional<std::string> text = typed(value); text && !given) added.push_back(option + "=" + *text);
  }
  words.insert(words.end(), added.begin(), added.end());
  return words;
}

Option CommandLine::option(const std::string& name) const { return Option(*app_->get_option(name)); }

std::size_t CommandLine::count(const std::string& name) const { return app_->count(name); }

std::string CommandLine::help() const { return app_->help(); }

std::string CommandLine::option_of(const std::string& field) const {
  // Options that are not called like their field.
  constexpr std::pair<std::string_view, const char*> kNames[] = {{"dir", "--data-dir"},
                                                                 {"ImageFolderOptions::size", "--folder-size"},
                                                                 {"Selection::train", "--limit-train"},
                                                                 {"Selection::train", "--limit"},
                                                                 {"Selection::test", "--limit-test"},
                                                                 {"Selection::test", "--limit"},
                                                                 {"deviation", "--std"},
                                                                 {"padding", "--crop-padding"},
                                                                 {"ema_decay", "--ema"},
                                                                 {"init_heads", "--reset-head"},
                                                                 {"max_batch", "--batch-size"}};
  const auto exists = [&](const std::string& name) { return app_->get_option_no_throw(name) != nullptr; };
  for (const auto& [known, option] : kNames) {
    if (field == known && exists(option)) return option;
  }
  std::string option = "--" + field;
  std::replace(option.begin(), option.end(), '_', '-');
  return exists(option) ? option : field;
}

int CommandLine::run(int argc, char** argv, const std::function<void()>& work, const std::string& results) {
  reserve_standard_streams();
  if (argc > 0) invoked_as_ = std::filesystem::path(argv[0]).filename().string();
  const auto text_of = [this](const Error& error) {
    return with_fields(
        error.message(), [this](const std::string& field) { return option_of(field); }, " ");
  };
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // keeps the order of lines relative to stderr, also in files
  try {
    std::vector<std::string> words(argv + 1, argv + argc);
    for (std::string& word : words) {
      const std::string name = option_name(word), current = current_name(name);
      if (current == name) continue;
      std::fprintf(stderr, "%s: %s is now called %s\n", app_->get_name().c_str(), name.c_str(), current.c_str());
      word.replace(0, name.size(), current);
    }
    words = with_config(std::move(words));
    std::reverse(words.begin(), words.end());  // CLI11 parses from the back
    app_->parse(std::move(words));
    check_given_once(*app_);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help
      app_->exit(error);
      return after_work(*app_, results);
    }
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    print_error(*app_, what + " (--help lists the options)");
    return kWrongCommandLine;
  } catch (const Error& error) {
    print_error(*app_, text_of(error));
    return kWrongCommandLine;
  }
  try {
    work();
    return after_work(*app_, results);
  } catch (const std::bad_alloc&) {
    print_error(*app_, "out of memory; use a smaller batch or image size");
  } catch (const Error& error) {
    print_error(*app_, text_of(error), error.details());
  } catch (const std::exception& error) {
    print_error(*app_, error.what());
  }
  return kFailed;
}

}  // namespace minception
