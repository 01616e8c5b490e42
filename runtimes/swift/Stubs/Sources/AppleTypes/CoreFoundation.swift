// Core Foundation's names for Foundation's types, and what Foundation has on Apple's systems only.

@_exported import Foundation

public typealias CFString = String
public typealias CFData = Data
public typealias CFMutableData = NSMutableData
public typealias CFDictionary = [AnyHashable: Any]
public typealias CFTypeRef = AnyObject
public typealias OSType = UInt32

public final class CFAllocator {}
public let kCFAllocatorDefault: CFAllocator? = nil

public func autoreleasepool<Result>(invoking body: () throws -> Result) rethrows -> Result {
    try body()
}
