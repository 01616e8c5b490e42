// The one family of errors that this package throws.

import Foundation

/// Something the caller can act on: what was wrong, the value seen, and what to do about it.
public enum LamaEdgeError: Error, Equatable, Sendable {
    /// A stable name of what was refused, the same in every wrapper.
    public enum Code: String, Sendable {
        case maxSideTooSmall = "max_side_too_small"
        case maxSideUnused = "max_side_unused"
        case manifestVersion = "manifest_version"
        case manifestForm = "manifest_form"
        case manifestUnreadable = "manifest_unreadable"
        case maskUnclear = "mask_unclear"
        case maskWithoutAlpha = "mask_without_alpha"
        case growOutOfRange = "grow_out_of_range"
        case outputNaN = "output_nan"
        case outputInfinite = "output_infinite"
    }

    /// An option that cannot be used, or not together with another.
    case usage(String, code: Code? = nil)
    /// A model that cannot be opened, or whose output breaks its contract.
    case model(String, code: Code? = nil)
    /// A picture or mask that cannot be used.
    case picture(String, code: Code? = nil)
    /// Something that this system lacks.
    case missingBackend(String)

    /// The message, on one line.
    public var message: String {
        switch self {
        case .usage(let message, _), .model(let message, _), .picture(let message, _),
            .missingBackend(let message):
            return message
        }
    }

    /// What was refused; nil where other wrappers do not refuse the same.
    public var code: Code? {
        switch self {
        case .usage(_, let code), .model(_, let code), .picture(_, let code): return code
        case .missingBackend: return nil
        }
    }
}

extension LamaEdgeError: CustomStringConvertible {
    public var description: String { message }
}

extension LamaEdgeError: LocalizedError {
    public var errorDescription: String? { message }
}
