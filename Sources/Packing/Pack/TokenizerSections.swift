internal import Tokenization

/// The sections that come from the keys of a GGUF file's tokenizer.
enum TokenizerSections {
  /// Bytes of both sections, from counts, sizes and types alone.
  static func bytes(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: UInt64, template: UInt64) {
    let vocabulary = try vocabulary(header)
    return (UInt64(vocabulary.sectionBytes), UInt64(ChatTemplate.sectionBytes))
  }

  /// Both sections.
  static func build(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: [UInt8], template: [UInt8]) {
    let vocabulary = try vocabulary(header)
    do throws(VocabularyError) {
      let tokenizer = try vocabulary.section()
      return (tokenizer, try vocabulary.templateSection(tokenizer))
    } catch {
      throw .tokenizer(error.description)
    }
  }

  private static func vocabulary(_ header: GGUFHeader) throws(PackingError) -> Vocabulary {
    do throws(VocabularyError) {
      return try Vocabulary(header)
    } catch .gguf(let error) {
      throw .gguf(error)
    } catch {
      throw .tokenizer(error.description)
    }
  }
}
