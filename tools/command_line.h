#pragma once
/// The command line of a tool: options, flags and arguments, each bound to a variable. Parsed by CLI11, which only
/// command_line.cpp includes: its headers would take longer to compile than the rest of a tool.

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace minception {

/// Exit codes besides 0. kOutputLost: the work is complete, but some output could not be written to stdout.
inline constexpr int kFailed = 1, kWrongCommandLine = 2, kOutputLost = 3;

/// The text with control characters as \\xNN, so that a file name cannot colour the terminal or start a new line.
std::string printable(std::string_view text);

class CommandLine {
 public:
  /// Further properties of an option. The functions can be chained.
  class Option {
   public:
    explicit Option(CLI::Option& option) : option_(&option) {}

    template <std::integral T>
    Option range(T least, T most) const {
      return integers(static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
    }
    Option range(double least, double most) const;
    Option one_of(const std::vector<std::string>& values) const;
    /// Comma-separated values; repeating the option appends to them.
    Option list() const;
    Option required() const;
    Option excludes(const Option& other) const;
    /// Shown in --help instead of the variable's value.
    Option default_text(const std::string& text) const;
    /// Shown in --help instead of the variable's type.
    Option value_name(const std::string& text) const;
    /// Heading in --help under which the option is listed.
    Option group(const std::string& heading) const;

   private:
    Option integers(std::int64_t least, std::int64_t most) const;

    CLI::Option* option_;
  };

  CommandLine(const std::string& about, const std::string& program);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Adds an option (--name) or an argument (NAME) that takes one value; `list` makes it take several. T: std::string,
  /// int, std::int64_t, double, std::optional<std::int64_t>, or a vector of one of the first four.
  template <class T>
  Option add_option(const std::string& name, T& value, const std::string& help);
  Option add_flag(const std::string& name, bool& value, const std::string& help);
  /// One or more arguments.
  Option add_arguments(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// Text at the end of --help.
  void footer(const std::string& text);
  /// Adds an option that names a JSON file with further options, by name without "--": either a flat object or the
  /// "options" in the config.json of a run. Options on the command line take precedence.
  Option add_config_option(const std::string& name, const std::string& help);

  /// Accepts the former name of an option, hidden from --help; using it prints the new name. Both start with "--".
  void add_earlier_name(const std::string& earlier, const std::string& name);
  /// The current name of an option that was renamed, otherwise the name itself.
  const std::string& current_name(const std::string& name) const;

  /// The option that was added under `name`.
  Option option(const std::string& name) const;
  /// Number of times the option was given.
  std::size_t count(const std::string& name) const;
  std::string help() const;

  /// The option that sets a field of the library's options (Field), for messages; the field's name if there is none.
  std::string option_of(const std::string& field) const;
  /// How the program was called: "minception-train" for an installed `train`.
  const std::string& invoked_as() const { return invoked_as_; }

  /// Parses the command line, then calls `work`. Any failure becomes one line on stderr, "name: message", and an exit
  /// code. Giving an option with a single text value twice is an error; for numbers the last one counts. `work` sets
  /// `results` to a text that says where the results are; it is printed if output to stdout is lost.
  int run(int argc, char** argv, const std::function<void()>& work, const std::string& results = {});

 private:
  std::vector<std::string> with_config(std::vector<std::string> words) const;

  std::unique_ptr<CLI::App> app_;
  std::map<std::string, std::string> earlier_names_;
  std::string config_option_, config_file_, invoked_as_;
};

}  // namespace minception
