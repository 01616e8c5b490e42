// The one family of errors that this package throws.

import Foundation

/// Something the caller can act on: what was wrong, the value seen, and what to do about it.
public enum LamaEdgeError: Error, Equatable, Sendable {
    /// An option that cannot be used, or not together with another.
    case usage(String)
    /// A model that cannot be opened, or whose output breaks its contract.
    case model(String)
    /// A picture or mask that cannot be used.
    case picture(String)
    /// Something that this system lacks.
    case missingBackend(String)

    /// The message, on one line.
    public var message: String {
        switch self {
        case .usage(let message), .model(let message), .picture(let message),
            .missingBackend(let message):
            return message
        }
    }
}

extension LamaEdgeError: CustomStringConvertible {
    public var description: String { message }
}

extension LamaEdgeError: LocalizedError {
    public var errorDescription: String? { message }
}
