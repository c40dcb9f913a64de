#include "exchange/onnx_reader.h"
#include "models/weights.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <system_error>

namespace minception::exchange {
namespace {

using onnx::TensorProto;

std::optional<DType> dtype_of_file(std::int32_t type) {
  switch (type) {
    case TensorProto::FLOAT:
      return DType::f32;
    case TensorProto::DOUBLE:
      return DType::f64;
    case TensorProto::FLOAT16:
      return DType::f16;
    case TensorProto::BFLOAT16:
      return DType::bf16;
    case TensorProto::INT64:
      return DType::i64;
    case TensorProto::INT32:
      return DType::i32;
    case TensorProto::UINT8:
      return DType::u8;
    default:
      return std::nullopt;
  }
}

/// Copies the values of a repeated field as elements of type T.
template <class T, class Field>
void copy_field(const Field& field, std::vector<std::byte>& bytes) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(field.size()));
  for (const auto value : field) values.push_back(static_cast<T>(value));
  bytes.resize(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
}

std::vector<std::byte> bytes_of(const TensorProto& tensor, DType dtype) {
  std::vector<std::byte> bytes;
  if (tensor.has_raw_data()) {
    bytes.resize(tensor.raw_data().size());
    std::memcpy(bytes.data(), tensor.raw_data().data(), bytes.size());
    return bytes;
  }
  switch (dtype) {
    case DType::f32:
      copy_field<float>(tensor.float_data(), bytes);
      break;
    case DType::f64:
      copy_field<double>(tensor.double_data(), bytes);
      break;
    case DType::i64:
      copy_field<std::int64_t>(tensor.int64_data(), bytes);
      break;
    case DType::i32:
      copy_field<std::int32_t>(tensor.int32_data(), bytes);
      break;
    case DType::f16:
    case DType::bf16:
      copy_field<std::uint16_t>(tensor.int32_data(), bytes);
      break;
    case DType::u8:
      copy_field<std::uint8_t>(tensor.int32_data(), bytes);
      break;
  }
  return bytes;
}

// ---- memory ------------------------------------------------------------------------------------------------------------

enum class Part : std::uint8_t { model, graph, node, attribute };

/// The part that a field holds, besides tensors. Field numbers of onnx.proto.
std::optional<Part> part_in(Part part, std::uint32_t field) {
  if (part == Part::model && field == onnx::ModelProto::kGraphFieldNumber) return Part::graph;
  if (part == Part::graph && field == onnx::GraphProto::kNodeFieldNumber) return Part::node;
  if (part == Part::node && field == onnx::NodeProto::kAttributeFieldNumber) return Part::attribute;
  return std::nullopt;
}

bool holds_tensor(Part part, std::uint32_t field) {
  return (part == Part::graph && field == onnx::GraphProto::kInitializerFieldNumber) ||
         (part == Part::attribute && field == onnx::AttributeProto::kTFieldNumber);
}

/// Roughly the memory of everything but the values of tensors: an empty message takes two bytes in a file, but a hundred times
/// as many in memory. Stops at bytes that are no message, which the parser reports.
std::int64_t structure_bytes(google::protobuf::io::CodedInputStream& stream, Part part) {
  constexpr std::int64_t kPerField = 64;
  std::int64_t bytes = 0;
  while (const std::uint32_t tag = stream.ReadTag()) {
    int length = 0;
    std::uint64_t number = 0;
    switch (tag & 7) {
      case 0:
        if (!stream.ReadVarint64(&number)) return bytes;
        break;
      case 1:
      case 5:
        if (!stream.Skip((tag & 7) == 1 ? 8 : 4)) return bytes;
        break;
      case 2: {
        if (!stream.ReadVarintSizeAsInt(&length)) return bytes;
        bytes += kPerField;
        if (const std::optional<Part> inner = part_in(part, tag >> 3)) {
          const auto limit = stream.PushLimit(length);
          bytes += structure_bytes(stream, *inner);
          if (!stream.Skip(stream.BytesUntilLimit())) return bytes;
          stream.PopLimit(limit);
        } else {
          if (!holds_tensor(part, tag >> 3)) bytes += length;
          if (!stream.Skip(length)) return bytes;
        }
        break;
      }
      default:
        return bytes;
    }
  }
  return bytes;
}

}  // namespace

std::string printable_name(const std::string& name) {
  std::string text = name.substr(0, 100);
  for (char& letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte >= 0x7f) letter = '?';
  }
  return text;
}

onnx::ModelProto read_onnx(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::error_code error;
  require(std::filesystem::exists(path, error), file,
          ": cannot be found: ", std::make_error_code(std::errc::no_such_file_or_directory).message(),
          "; check the path");
  require(std::filesystem::is_regular_file(path, error), file, ": is not a file that can be read",
          error ? ": " + error.message() : "");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  require(!error && size <= std::numeric_limits<std::int32_t>::max(), file, ": is larger than 2 GiB");
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::ifstream stream(path, std::ios::binary);
  require(stream.read(bytes.data(), static_cast<std::streamsize>(size)).good(), file,
          ": cannot be read: ", system_message());
  constexpr std::int64_t kMostStructure = std::int64_t{64} << 20;
  google::protobuf::io::CodedInputStream scan(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                              static_cast<int>(size));
  require(structure_bytes(scan, Part::model) <= kMostStructure, file,
          ": has more nodes and names than any network; only tensors may be large");
  onnx::ModelProto model;
  const bool parsed = model.ParseFromArray(bytes.data(), static_cast<int>(size));
  require(parsed && size > 0, file, ": is not an ONNX file, or it is incomplete");
  require(model.has_graph() && model.graph().node_size() > 0, file, ": has no ONNX graph");
  return model;
}

FileTensor tensor_of(const TensorProto& tensor) {
  const std::string where = "tensor " + printable_name(tensor.name());
  require(tensor.data_location() != TensorProto::EXTERNAL && tensor.external_data_size() == 0, where,
          ": its values are in another file; save the network as one file, without external data");
  require(!tensor.has_segment(), where, ": is stored in segments, which are not supported");
  const std::optional<DType> dtype = dtype_of_file(tensor.data_type());
  require(dtype.has_value(), where, ": has the data type ", tensor.data_type(),
          "; supported are f32, f64, f16, bf16, i32, i64 and u8");
  require(tensor.dims_size() <= Shape::max_rank, where, ": has ", tensor.dims_size(), " axes");
  std::vector<std::int64_t> extents(tensor.dims().begin(), tensor.dims().end());
  std::int64_t elements = 1;
  for (const std::int64_t extent : extents) {
    constexpr std::int64_t kMost = std::int64_t{1} << 40;
    require(extent >= 0 && extent <= kMost && (extent == 0 || elements <= kMost / extent), where,
            ": its shape is negative or larger than any file");
    elements *= extent;
  }
  FileTensor result{.dtype = *dtype, .shape = Shape(extents), .bytes = bytes_of(tensor, *dtype)};
  require(result.bytes.size() == static_cast<std::size_t>(elements) * size_of(*dtype), where, ": has ",
          result.bytes.size() / size_of(*dtype), " values, but its shape is ", result.shape);
  return result;
}

FileTensor floats_of(const TensorProto& proto) {
  FileTensor tensor = tensor_of(proto);
  if (tensor.dtype == DType::f32) return tensor;
  const bool floating = tensor.dtype == DType::f64 || tensor.dtype == DType::f16 || tensor.dtype == DType::bf16;
  require(floating, "tensor ", printable_name(proto.name()), ": holds integers instead of floating-point numbers");
  return to_file_tensor(to_doubles(tensor), tensor.shape, DType::f32);
}

float first_of(const FileTensor& tensor) {
  float value = 0.0f;
  std::memcpy(&value, tensor.bytes.data(), sizeof value);
  return value;
}

std::vector<std::int64_t> integers_of(const TensorProto& proto) {
  const FileTensor tensor = tensor_of(proto);
  const std::string where = "tensor " + printable_name(proto.name());
  require(tensor.dtype == DType::i64 || tensor.dtype == DType::i32, where, ": does not hold integers");
  require(tensor.shape.elements() <= 64 && tensor.shape.rank() <= 1, where, ": is not a short list of integers");
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype == DType::i64) {
      std::memcpy(&values[i], tensor.bytes.data() + i * sizeof(std::int64_t), sizeof(std::int64_t));
    } else {
      std::int32_t value = 0;
      std::memcpy(&value, tensor.bytes.data() + i * sizeof value, sizeof value);
      values[i] = value;
    }
  }
  return values;
}

NodeReader::NodeReader(const onnx::NodeProto& node, int index) : node_(node) {
  const std::string name = node.name().empty() ? std::to_string(index) : printable_name(node.name());
  where_ = concat("node ", name, " (", printable_name(node.op_type()), ")");
  require(node.domain().empty() || node.domain() == "ai.onnx", "operators of the domain ",
          printable_name(node.domain()), " are not supported");
  require(node.output_size() >= 1, "has no output");
}

const onnx::AttributeProto* NodeReader::find(const char* attribute) const {
  for (const onnx::AttributeProto& each : node_.attribute()) {
    if (each.name() == attribute) return &each;
  }
  return nullptr;
}

const onnx::AttributeProto* NodeReader::find(const char* attribute, onnx::AttributeProto::AttributeType type) const {
  const onnx::AttributeProto* found = find(attribute);
  require(found == nullptr || found->type() == type, "the attribute ", attribute, " has the wrong type");
  return found;
}

void NodeReader::only(std::initializer_list<const char*> attributes) const {
  for (const onnx::AttributeProto& each : node_.attribute()) {
    bool known = false;
    for (const char* attribute : attributes) known = known || each.name() == attribute;
    require(known, "the attribute ", printable_name(each.name()), " is not supported");
  }
}

std::int64_t NodeReader::integer(const char* attribute, std::int64_t otherwise) const {
  const onnx::AttributeProto* found = find(attribute, onnx::AttributeProto::INT);
  return found == nullptr ? otherwise : found->i();
}

double NodeReader::real(const char* attribute, double otherwise) const {
  const onnx::AttributeProto* found = find(attribute, onnx::AttributeProto::FLOAT);
  return found == nullptr ? otherwise : static_cast<double>(found->f());
}

std::string NodeReader::text(const char* attribute, const std::string& otherwise) const {
  const onnx::AttributeProto* found = find(attribute, onnx::AttributeProto::STRING);
  return found == nullptr ? otherwise : found->s();
}

std::vector<std::int64_t> NodeReader::integers(const char* attribute) const {
  const onnx::AttributeProto* found = find(attribute, onnx::AttributeProto::INTS);
  if (found == nullptr) return {};
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  for (const std::int64_t value : found->ints()) {
    require(value >= -kMost && value <= kMost, "the attribute ", attribute, " has the value ", value);
  }
  return {found->ints().begin(), found->ints().end()};
}

}  // namespace minception::exchange
