#include "core/error.h"
#include "data/registry.h"
#include "python/arguments.h"
#include "python/arrays.h"
#include "python/images.h"
#include "python/module.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <set>

namespace minception {

inline std::string_view name_of(Resize resize) { return to_string(resize); }
inline void parse_name(std::string_view name, Resize& resize) { resize = parse_resize(std::string(name)); }

namespace python {
namespace {

/// Arguments of load_image_folder and load_dataset.
struct LoadOptions {
  Extent2d size = 0;
  Resize resize = Resize::stretch;
  bool exif_orientation = true;
  std::int64_t channels = 0;
  double test_fraction = 0.0, validation_fraction = 0.0;
  std::uint64_t split_seed = 1;
  std::filesystem::path labels, cache;
  int threads = 0;
  std::int64_t limit_train = 0, limit_test = 0;
};

constexpr auto kSelection = [](auto& o, auto&& f) {
  f("validation_fraction", o.validation_fraction);
  f("limit_train", o.limit_train);
  f("limit_test", o.limit_test);
};
constexpr auto kFolder = [](auto& o, auto&& f) {
  f("size", o.size);
  f("resize", o.resize);
  f("exif_orientation", o.exif_orientation);
  f("channels", o.channels);
  f("test_fraction", o.test_fraction);
  f("split_seed", o.split_seed);
  f("labels", o.labels);
  f("cache", o.cache);
  f("threads", o.threads);
  kSelection(o, f);
};

Dataset load(const std::string& name, const std::filesystem::path& folder, const LoadOptions& o) {
  const ImageFolderOptions options = {.size = {o.size.h, o.size.w},
                                      .image = {.resize = o.resize, .exif_orientation = o.exif_orientation},
                                      .channels = o.channels,
                                      .test_fraction = o.test_fraction,
                                      .split_seed = o.split_seed,
                                      .labels = o.labels,
                                      .cache = o.cache,
                                      .threads = o.threads};
  const Selection selection = {
      .validation_fraction = o.validation_fraction, .train = o.limit_train, .test = o.limit_test};
  const nb::gil_scoped_release release;
  return load_dataset(name, folder, options, selection);
}

/// Adds a function whose arguments after the first ones are members of LoadOptions.
template <class Each, class F>
void add_loader(nb::module_& module, const char* name, const std::vector<FormalParameter>& leading, Each each,
                F load_it, const char* doc) {
  LoadOptions defaults;
  std::vector<FormalParameter> parameters = leading;
  for (const FormalParameter& parameter : parameters_of(defaults, each)) parameters.push_back(parameter);
  const std::vector<std::string> names = names_of(parameters);
  const std::string text = signature(name, "", parameters, leading.size(), "Dataset");
  const std::size_t positional = leading.size();
  module.def(
      name,
      [=](const nb::args& args, const nb::kwargs& kwargs) {
        const Arguments arguments(name, names, positional, args, kwargs);
        LoadOptions options;
        each(options, [&](const char* member, auto& value) { arguments.take(member, value); });
        return load_it(arguments, options);
      },
      nb::sig(text.c_str()), doc);
}

// ---- from arrays ---------------------------------------------------------------------------------------------------

ImageDataset part_from(nb::handle images, nb::handle labels, const std::vector<std::string>& classes,
                       const std::string& what) {
  const Array pixels = array_from(images, what + "images");
  if (dtype_of(pixels) != DType::u8) {
    raise_type_error(concat(what, "images must be uint8, (N, H, W) or (N, H, W, 1 or 3), not ", dtype_name(pixels),
                            ": a data set holds bytes from 0 to 255, which the model scales"));
  }
  const std::size_t rank = pixels.ndim();
  const bool grey = rank == 3;
  require(grey || (rank == 4 && (pixels.shape(3) == 1 || pixels.shape(3) == 3)), what, "images have the shape ",
          shape_of(pixels), ": it must be (N, H, W) or (N, H, W, 1 or 3); channels come last");
  ImageDataset part;
  part.image = {grey ? 1 : static_cast<std::int64_t>(pixels.shape(3)), static_cast<std::int64_t>(pixels.shape(1)),
                static_cast<std::int64_t>(pixels.shape(2))};
  const std::vector<std::byte> bytes = row_major(pixels);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  part.pixels.assign(begin, begin + bytes.size());
  const nb::object numbers = nb::module_::import_("numpy").attr("asarray")(labels);
  if (const std::string kind = nb::cast<std::string>(numbers.attr("dtype").attr("kind")); kind != "i" && kind != "u") {
    raise_type_error(
        concat(what, "labels must be integers, not ", nb::cast<std::string>(numbers.attr("dtype").attr("name"))));
  }
  const Array integers = array_from(numbers.attr("astype")("int64", nb::arg("order") = "C"), what + "labels");
  require(integers.ndim() == 1 && integers.shape(0) == pixels.shape(0), what, "labels have the shape ",
          shape_of(integers), " for ", pixels.shape(0), " images");
  for (const std::int64_t label : std::span(static_cast<const std::int64_t*>(integers.data()), integers.size())) {
    require(label >= 0 && label < static_cast<std::int64_t>(classes.size()), what, "the label ", label,
            " is not one of ", classes.size(), " classes, 0 to ", classes.size() - 1);
    part.labels.push_back(static_cast<std::int32_t>(label));
  }
  part.class_names = classes;
  return part;
}

Dataset from_arrays(nb::handle images, nb::handle labels, const std::vector<std::string>& classes, nb::handle test,
                    nb::handle validation, const std::string& name) {
  require(classes.size() >= 2, "classes: ", classes.size(), " names; at least 2 are needed");
  require(std::set(classes.begin(), classes.end()).size() == classes.size(), "classes: a name occurs twice");
  Dataset dataset;
  dataset.name = name;
  dataset.train = part_from(images, labels, classes, "");
  const auto pair = [&](nb::handle value, const char* what) -> ImageDataset {
    ImageDataset empty;
    empty.image = dataset.train.image;
    empty.class_names = classes;
    if (value.is_none()) return empty;
    if (!nb::isinstance<nb::tuple>(value) || nb::len(value) != 2)
      raise_wrong_type(what, "a pair (images, labels)", value);
    ImageDataset part = part_from(value[0], value[1], classes, std::string(what) + " ");
    require(part.image == dataset.train.image, what, " images are ", part.image, ", those for training ",
            dataset.train.image);
    return part;
  };
  dataset.test = pair(test, "test");
  dataset.validation = pair(validation, "validation");
  return dataset;
}

/// A view of a part's memory; `owner` keeps it alive.
nb::object images_of_part(const std::shared_ptr<Dataset>& dataset, const ImageDataset& part) {
  const std::span<const std::uint8_t> pixels = part.all_pixels();
  const std::size_t shape[] = {
      static_cast<std::size_t>(part.size()), static_cast<std::size_t>(part.image.extent_or_1(1)),
      static_cast<std::size_t>(part.image.extent_or_1(2)), static_cast<std::size_t>(part.image.extent_or_1(0))};
  return nb::cast(nb::ndarray<nb::numpy, const std::uint8_t>(pixels.data(), 4, shape, nb::cast(dataset)));
}
nb::object labels_of_part(const std::shared_ptr<Dataset>& dataset, const ImageDataset& part) {
  const std::size_t shape[] = {part.labels.size()};
  return nb::cast(nb::ndarray<nb::numpy, const std::int32_t>(part.labels.data(), 1, shape, nb::cast(dataset)));
}

struct PartOf {
  std::shared_ptr<Dataset> dataset;
  ImageDataset Dataset::*part;
  const ImageDataset& get() const { return (*dataset).*part; }
};

std::string text_of(const Dataset& dataset) {
  return concat("Dataset(", dataset.name, ": ", dataset.train.size(), " training, ", dataset.validation.size(),
                " validation and ", dataset.test.size(), " test images of ", dataset.image(), ", ", dataset.classes(),
                " classes)");
}

}  // namespace

void add_data(nb::module_& module) {
  nb::class_<PartOf>(module, "DatasetPart", "Images and labels of a part of a data set.")
      .def("__len__", [](const PartOf& self) { return self.get().size(); })
      .def_prop_ro(
          "images", [](const PartOf& self) { return images_of_part(self.dataset, self.get()); },
          nb::for_getter(nb::sig("def images(self) -> numpy.ndarray")),
          "uint8 (N, H, W, C), a read-only view without a copy.")
      .def_prop_ro(
          "labels", [](const PartOf& self) { return labels_of_part(self.dataset, self.get()); },
          nb::for_getter(nb::sig("def labels(self) -> numpy.ndarray")),
          "int32 (N), indices into the classes: a read-only view without a copy.")
      .def_prop_ro(
          "files", [](const PartOf& self) { return self.get().files; },
          "Paths of the images; empty if they are not separate files.");

  const auto part = [](ImageDataset Dataset::*member) {
    return [member](std::shared_ptr<Dataset> self) { return PartOf{std::move(self), member}; };
  };
  nb::class_<Dataset>(module, "Dataset",
                      "Labelled images of one size, as bytes, in parts for training, validation and test.\n"
                      "Made by load_image_folder, load_dataset or Dataset.from_arrays.")
      .def_static(
          "from_arrays", &from_arrays, nb::arg("images").none(), nb::arg("labels").none(), nb::arg("classes"),
          nb::arg("test") = nb::none(), nb::arg("validation") = nb::none(), nb::arg("name") = "arrays",
          nb::sig(
              "def from_arrays(images: numpy.ndarray, labels: collections.abc.Sequence[int] | numpy.ndarray, classes: "
              "collections.abc.Sequence[str], test: tuple | None = None, validation: tuple | None = None, name: str = "
              "'arrays') -> Dataset"),
          "images: uint8 (N, H, W) or (N, H, W, 1 or 3); labels: N integers, indices into `classes`.\n"
          "`test` and `validation` are pairs (images, labels). The images are copied once.")
      .def_ro("name", &Dataset::name)
      .def_prop_ro(
          "classes", [](const Dataset& self) { return self.train.class_names; }, "Names of the classes.")
      .def_prop_ro(
          "image_size",
          [](const Dataset& self) { return nb::make_tuple(self.image()[0], self.image()[1], self.image()[2]); },
          nb::for_getter(nb::sig("def image_size(self) -> tuple[int, int, int]")), "(C, H, W) of every image.")
      .def_prop_ro("train", part(&Dataset::train), "Training images.")
      .def_prop_ro("validation", part(&Dataset::validation), "Validation images; may be empty.")
      .def_prop_ro("test", part(&Dataset::test), "Test images; may be empty.")
      .def("__repr__", &text_of);

  module.def("dataset_names", &dataset_names, "Names that load_dataset accepts.");
  add_loader(
      module, "load_dataset", {{"name", "str", ""}, {"folder", "str | os.PathLike", "''"}}, kSelection,
      [](const Arguments& arguments, const LoadOptions& options) {
        arguments.require_given("name");
        std::filesystem::path folder;
        arguments.take("folder", folder);
        return load(Argument<std::string>::from(arguments["name"], arguments.what("name")), folder, options);
      },
      "Loads a published data set by name, for instance \"fashion-mnist\" (dataset_names() lists them), from `folder`\n"
      "or from where its Debian package installs it. `validation_fraction` of the training images become validation\n"
      "images; `limit_train` and `limit_test` keep the first images (0: all).");
  add_loader(
      module, "load_image_folder", {{"folder", "str | os.PathLike | collections.abc.Sequence[str | os.PathLike]", ""}},
      kFolder,
      [](const Arguments& arguments, const LoadOptions& options) {
        arguments.require_given("folder");
        const nb::handle value = arguments["folder"];
        std::vector<std::filesystem::path> folders;
        if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value)) {
          for (const nb::handle each : value) {
            folders.push_back(Argument<std::filesystem::path>::from(each, arguments.what("folder")));
          }
        } else {
          folders.push_back(Argument<std::filesystem::path>::from(value, arguments.what("folder")));
        }
        require(options.size.h >= 1 && options.size.w >= 1,
                "load_image_folder() needs the size of the images: size=96 or ", "size=(height, width)");
        std::string joined;
        for (const std::filesystem::path& folder : folders) joined += (joined.empty() ? "" : ":") + folder.string();
        return load("folder", joined, options);
      },
      "Loads images from a folder, or several, with one sub-folder per class, and resizes them to `size`.\n"
      "Sub-folders train, validation and test are parts; without them `test_fraction` and `validation_fraction` "
      "split.\n"
      "resize: \"stretch\", \"crop\" or \"letterbox\"; channels: 1, 3, or 0 for those of the files.\n"
      "labels: CSV file with the columns path, class and part. cache: folder for the decoded pixels.");
}

}  // namespace python
}  // namespace minception
