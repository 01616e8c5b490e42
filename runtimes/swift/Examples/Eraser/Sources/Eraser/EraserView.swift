// The picture with the finger's stroke over it, and the buttons below.

import PhotosUI
import SwiftUI

@MainActor
struct EraserView: View {
    @StateObject private var eraser = Eraser()
    @State private var chosen: PhotosPickerItem?
    @State private var stroke = Stroke()
    @State private var brush: CGFloat = 30

    var body: some View {
        VStack {
            GeometryReader { place in
                ZStack {
                    if let picture = eraser.picture {
                        canvas(picture, in: place.size)
                    } else {
                        Text("Choose a photograph, then rub out what shall go.")
                    }
                    if eraser.isWorking { ProgressView() }
                }
                .frame(width: place.size.width, height: place.size.height)
            }
            controls
            if let message = eraser.message {
                Text(message).foregroundColor(.red)
            }
        }
        .padding()
        .task(id: chosen) { await eraser.open(chosen) }
    }

    private func canvas(_ picture: CGImage, in place: CGSize) -> some View {
        let size = CGSize(width: picture.width, height: picture.height)
        let scale = min(place.width / size.width, place.height / size.height)
        return Image(decorative: picture, scale: 1)
            .resizable()
            .frame(width: size.width * scale, height: size.height * scale)
            .overlay {
                Path { path in
                    path.addLines(stroke.points.map { CGPoint(x: $0.x * scale, y: $0.y * scale) })
                }
                .stroke(
                    Color.red.opacity(0.5),
                    style: StrokeStyle(lineWidth: brush, lineCap: .round, lineJoin: .round))
            }
            .gesture(
                DragGesture(minimumDistance: 0)
                    .onChanged { touch in
                        guard !eraser.isWorking else { return }
                        stroke.width = brush / scale
                        stroke.points.append(
                            CGPoint(x: touch.location.x / scale, y: touch.location.y / scale))
                    }
                    .onEnded { _ in erase() })
    }

    private var controls: some View {
        HStack {
            PhotosPicker(
                selection: $chosen, matching: .images, preferredItemEncoding: .current
            ) {
                Text("Choose")
            }
            Slider(value: $brush, in: 8...80)
            Button("Undo") { eraser.undo() }
                .disabled(!eraser.canUndo)
            if let exported = eraser.exported {
                ShareLink(item: exported)
            } else {
                Button("Export") { Task { await eraser.export() } }
                    .disabled(eraser.picture == nil || eraser.isWorking)
            }
        }
    }

    private func erase() {
        let finished = stroke
        Task {
            eraser.message = nil
            await eraser.erase(finished)
            stroke = Stroke()
        }
    }
}
